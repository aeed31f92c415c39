# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a backup back, with a way back from that too."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ..compression import decompressed
from ..content import Content
from ..engines import Engine
from ..errors import DamagedBackup, DatabaseError, HoldfastError, InvalidInput, NotFound, RestoreFailed, SwapRefused
from ..faults import reached
from ..names import kept_since
from ..streams import Streams
from .create import Plan, check, create_set_locked
from .lock import only_one
from .scratch import scratch
from .sets import BackupSet, find_set
from .verify import verify_set

FOREIGN_SUFFIXES = (".sql", ".sql.gz", ".sql.zst")
# The first comment of a dump tells which server's it is.
_DIALECTS = {
    "mysql": (b"-- MySQL dump", b"-- MariaDB dump", b"enable the sandbox mode"),
    "postgresql": (b"-- PostgreSQL database dump",),
}
# What sends the rest of a dump into a database that it names itself.
_SWITCHES = {
    "mysql": (b"\nUSE ", re.compile(rb"\nUSE `?((?:[^`;\n]|``)+)`?")),
    "postgresql": (b"\n\\connect ", re.compile(rb"\n\\connect (.+)")),
}
_HEAD = 4096
_PATIENCE_S = 900.0  # with a backup of the same database: a restore is what brings an application back


@dataclass(frozen=True)
class Source:
    """What is restored: a set of ours, or a file of SQL text made by others."""

    path: Path
    root: Path  # and `app`, where notes are kept of what the restore leaves when it is killed
    app: str
    backup: BackupSet | None = None

    @property
    def name(self) -> str:
        """How an operator calls it."""
        return self.backup.id if self.backup else str(self.path)

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """Keep a set from being pruned while it is read."""
        return self.backup.reading() if self.backup else contextlib.nullcontext()

    def streams(self) -> Streams:
        """The dump, unpacked."""
        return self.backup.streams() if self.backup else Streams(decompressed(self.path))

    @property
    def expected(self) -> Content | None:
        """What it holds, where that is known."""
        return self.backup.manifest.content if self.backup else None


@dataclass(frozen=True)
class Restored:
    """How a restore went; times in seconds.

    `kept` names the database that holds what was replaced; `in_place` says why there is none.
    """

    backup: BackupSet | None
    safety: BackupSet | None
    seconds: dict[str, float]
    kept: str | None = None
    in_place: str | None = None


def find_source(root: Path, app: str, name: str, engine: Engine, identity: str | None = None) -> Source:
    """What `name` stands for: a set's id, `latest`, a set's folder or a foreign file. Raises NotFound.

    `identity` is the key of an encrypted set.
    """
    path = Path(name)
    if name.endswith(FOREIGN_SUFFIXES):
        if not path.is_file():
            raise NotFound(f"There is no file {name} on this host.")
        return Source(path, root, app)
    backup = find_set(root, app, name, engine.name, engine.login.database)
    if backup.manifest.engine != engine.name:
        raise InvalidInput(
            f"The backup {backup.id} is of engine {backup.manifest.engine!r} and cannot be restored to {engine.name!r}."
        )
    return Source(backup.data_file(), root, app, replace(backup, identity=identity))


def verify_source(source: Source, engine: Engine, level: str, *, record: bool = True) -> BackupSet | None:
    """Verify what is about to be restored; returns the set with the result, which `record` keeps beside it.

    `engine` is the one a rehearsal takes place beside.

    A foreign file has no manifest: at every level it is read to its end. Raises DamagedBackup, or InvalidInput when it
    is not for this database.
    """
    if source.backup is None:
        _check_foreign(source.path, engine)
        return None
    if level == "none":
        return source.backup
    try:
        found = verify_set(source.backup, engine, level)
    except DamagedBackup:
        if record:
            source.backup.forget_verified()
        raise
    return source.backup.with_verified(found) if record else replace(source.backup, verified=found)


def _check_foreign(path: Path, engine: Engine) -> None:
    head = b""
    seen = b"\n"
    for chunk in decompressed(path):
        head += chunk[: max(0, _HEAD - len(head))]
        seen += chunk
        _refuse_switch(path, engine, seen)
        seen = seen[-_HEAD:]
    if not head.strip():
        raise DamagedBackup(f"{path} is empty.")
    for dialect, marks in _DIALECTS.items():
        if dialect != engine.name and any(mark in head for mark in marks):
            raise InvalidInput(f"{path} is a dump of {dialect} and cannot be restored to {engine.name!r}.")


def _refuse_switch(path: Path, engine: Engine, text: bytes) -> None:
    mark, pattern = _SWITCHES.get(engine.name, (b"\n", None))
    for switch in pattern.finditer(text) if pattern and mark in text else ():
        name = switch[1].decode(errors="replace").replace("``", "`")
        # PostgreSQL's switch also ends the transaction that makes a restore all or nothing.
        if name != engine.login.database or engine.load_is_atomic:
            raise InvalidInput(
                f"{path} switches to the database {name} by itself: it was made with --databases or --create. Make it"
                f" without, so that it can only go into {engine.login.database}. Nothing was touched."
            )


def check_restore(engine: Engine, safety: Plan | None) -> None:
    """Everything about a restore that can be known before anything is touched. Raises HoldfastError."""
    if safety is not None:
        check(engine, safety)
    else:
        engine.check_tools()
        engine.inspect()
    engine.check_load()


def restore(
    engine: Engine, source: Source, *, verify: str, safety: Plan | None, rehearse_on: Engine | None = None
) -> Restored:
    """Replace the database by the source: verify, safety backup, load, compare.

    Raises HoldfastError before anything is touched, or RestoreFailed after; the latter has put the safety backup
    back by then where that was needed, and says what state the database is in.
    """
    check_restore(engine, safety)
    with only_one(engine, source.root, source.app, f"the restore of {source.name}", _PATIENCE_S), source.reading():
        return _restore(engine, source, verify, safety, rehearse_on or engine)


def _restore(engine: Engine, source: Source, verify: str, safety: Plan | None, rehearse_on: Engine) -> Restored:
    seconds: dict[str, float] = {}
    engine.mend()
    with _timed(seconds, "verify"):
        backup = verify_source(source, rehearse_on, verify)
    try:
        done = _swapped(engine, source, safety, seconds)
    except SwapRefused as error:
        done = _loaded_in_place(engine, source, safety, seconds, str(error))
    return replace(done, backup=backup)


def _swapped(engine: Engine, source: Source, safety: Plan | None, seconds: dict[str, float]) -> Restored:
    """Load and compare beside the live database, then let the two change places. Raises SwapRefused."""
    if source.backup is None and not engine.load_is_atomic:
        # The only such server lets a script speak of any database that the login may write to, the live one first.
        raise SwapRefused("A dump made by others can name databases by itself.")
    kept = engine.kept_name()
    with contextlib.ExitStack() as stack:
        try:
            staged = stack.enter_context(scratch(engine, source.root / source.app, engine.inspect().settings))
        except DatabaseError as error:
            raise SwapRefused(str(error)) from error
        reached("restore: staging database made")
        engine.prepare_swap(staged, kept)
        try:
            with _timed(seconds, "load"):
                staged.load(source.streams(), script=source.backup is None, fresh=True)
            reached("restore: loaded")
            with _timed(seconds, "compare"):
                _compare(staged, source)
            reached("restore: compared")
        except (HoldfastError, OSError) as error:
            raise RestoreFailed(
                f"{_failed(engine, source, error)} It was tried beside the live one; the database is as it was before."
            ) from error
        with _timed(seconds, "safety_backup"):
            safe = create_set_locked(engine, safety) if safety else None
        with _timed(seconds, "swap"):
            reached("restore: safety backup made")
            _swap(engine, source, staged, kept)
            reached("swap: done")
    return Restored(None, safe, seconds, kept=kept if kept in engine.kept() else None)


def _swap(engine: Engine, source: Source, staged: Engine, kept: str) -> None:
    try:
        engine.swap(staged, kept)
    except SwapRefused:
        raise
    except HoldfastError as error:
        raise RestoreFailed(
            f"{_failed(engine, source, error)} It was in the middle of the swap: run it again, which finishes or undoes"
            " that first."
        ) from error


def _loaded_in_place(
    engine: Engine, source: Source, safety: Plan | None, seconds: dict[str, float], reason: str
) -> Restored:
    """Load into the live database itself, with a safety backup to go back to."""
    kept = None
    if safety is not None:
        with _timed(seconds, "safety_backup"):
            kept = create_set_locked(engine, safety)
    try:
        with _timed(seconds, "load"):
            engine.load(source.streams(), script=source.backup is None)
    except (HoldfastError, OSError) as error:
        raise _undone(engine, source, kept, error, untouched=engine.load_is_atomic) from error
    try:
        with _timed(seconds, "compare"):
            _compare(engine, source)
        engine.wake()
    except (HoldfastError, OSError) as error:
        raise _undone(engine, source, kept, error, untouched=False) from error
    return Restored(None, kept, seconds, in_place=reason)


def undo(engine: Engine, root: Path, app: str) -> Restored:
    """Bring back the database that the newest restore replaced; what is live now is kept in its turn.

    Raises NotFound when none is kept, and SwapRefused with nothing touched.
    """
    seconds: dict[str, float] = {}
    with only_one(engine, root, app, "the undo of a restore", _PATIENCE_S):
        engine.mend()
        before = newest_kept(engine)
        kept = engine.kept_name()
        with _timed(seconds, "swap"):
            engine.swap(engine.beside(before), kept)
    return Restored(None, None, seconds, kept=kept)


def prune_kept(engine: Engine, root: Path, app: str, limit: datetime, *, remove: bool) -> list[str]:
    """Remove the databases that were replaced before `limit`; returns their names, also when `remove` is not said."""
    names = _replaced_before(engine, limit)
    if not remove or not names:
        return names
    with only_one(engine, root, app, "the removal of replaced databases", _PATIENCE_S):
        engine.mend()
        names = _replaced_before(engine, limit)
        for name in names:
            engine.beside(name).drop()
    return names


def _replaced_before(engine: Engine, limit: datetime) -> list[str]:
    dated = ((name, kept_since(name, engine.login.database)) for name in engine.kept())
    return [name for name, since in dated if since and since < limit]


def newest_kept(engine: Engine) -> str:
    """The name of the database that the newest restore replaced. Raises NotFound."""
    names = engine.kept()
    if not names:
        raise NotFound(
            f"No database is kept that a restore of {engine.login.database} replaced: none was, or it was removed, or"
            " this login may not see it. Restore the safety backup instead; db_backup_info lists it."
        )
    return names[-1]


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long a block took."""
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 3)


def _compare(engine: Engine, source: Source) -> None:
    """Raise DamagedBackup when the restored database does not hold what the backup says, where that is known."""
    if source.expected is None:
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-") as workdir:
        difference = source.expected.difference(engine.content(Path(workdir)))
    if difference:
        raise DamagedBackup(f"After loading, {difference}.")


def _undone(
    engine: Engine, source: Source, kept: BackupSet | None, error: Exception, *, untouched: bool
) -> RestoreFailed:
    """Go back to the safety backup; returns the error that tells how that went."""
    failed = _failed(engine, source, error)
    if untouched:
        return RestoreFailed(f"{failed} It was rolled back; the database is as it was before.")
    if kept is None:
        return RestoreFailed(
            f"{failed} There is no safety backup (safety_backup=false): the database is INCOMPLETE now."
            " Restore a good backup before the application is used."
        )
    try:
        engine.load(kept.streams())
        engine.wake()
    except (HoldfastError, OSError) as second:
        return RestoreFailed(
            f"{failed} The safety backup could not be put back either: {second} The database is INCOMPLETE now."
            f" Restore {kept.path} when the cause is mended."
        )
    return RestoreFailed(f"{failed} The safety backup {kept.id} was put back; the database is as it was before.")


def _failed(engine: Engine, source: Source, error: Exception) -> str:
    return f"The restore of {source.name} into {engine.login.database} failed: {str(error).rstrip('.')}."
