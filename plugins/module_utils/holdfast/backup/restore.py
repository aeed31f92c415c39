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
from pathlib import Path

from ..compression import decompressed
from ..engines import Content, Engine
from ..errors import DamagedBackup, HoldfastError, InvalidInput, NotFound, RestoreFailed
from .create import Plan, check, create_set
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


@dataclass(frozen=True)
class Source:
    """What is restored: a set of ours, or a file of SQL text made by others."""

    path: Path
    backup: BackupSet | None = None

    @property
    def name(self) -> str:
        """How an operator calls it."""
        return self.backup.id if self.backup else str(self.path)

    @property
    def expected(self) -> Content | None:
        """What it holds, where that is known."""
        return self.backup.manifest.content if self.backup else None


@dataclass(frozen=True)
class Restored:
    """How a restore went; times in seconds."""

    backup: BackupSet | None
    safety: BackupSet | None
    seconds: dict[str, float]


def find_source(root: Path, app: str, name: str, engine: Engine) -> Source:
    """What `name` stands for: a set's id, `latest`, a set's folder or a foreign file. Raises NotFound."""
    path = Path(name)
    if name.endswith(FOREIGN_SUFFIXES):
        if not path.is_file():
            raise NotFound(f"There is no file {name} on this host.")
        return Source(path)
    backup = find_set(root, app, name, engine.name, engine.login.database)
    if backup.manifest.engine != engine.name:
        raise InvalidInput(
            f"The backup {backup.id} is of engine {backup.manifest.engine!r} and cannot be restored to {engine.name!r}."
        )
    return Source(backup.data_file(), backup)


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
    with source.backup.reading() if source.backup else contextlib.nullcontext():
        return _restore(engine, source, verify, safety, rehearse_on or engine)


def _restore(engine: Engine, source: Source, verify: str, safety: Plan | None, rehearse_on: Engine) -> Restored:
    seconds: dict[str, float] = {}
    check_restore(engine, safety)
    with _timed(seconds, "verify"):
        backup = verify_source(source, rehearse_on, verify)
    kept = None
    if safety is not None:
        with _timed(seconds, "safety_backup"):
            kept = create_set(engine, safety)
    try:
        with _timed(seconds, "load"):
            engine.load(decompressed(source.path), script=source.backup is None)
    except (HoldfastError, OSError) as error:
        raise _undone(engine, source, kept, error, untouched=engine.load_is_atomic) from error
    if source.expected is not None:
        try:
            with _timed(seconds, "compare"):
                _compare(engine, source)
        except (HoldfastError, OSError) as error:
            raise _undone(engine, source, kept, error, untouched=False) from error
    return Restored(backup, kept, seconds)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long a block took."""
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 3)


def _compare(engine: Engine, source: Source) -> None:
    """Raise DamagedBackup when the restored database does not hold what the backup says."""
    assert source.expected is not None
    with tempfile.TemporaryDirectory(prefix="holdfast-") as workdir:
        difference = source.expected.difference(engine.content(Path(workdir)))
    if difference:
        raise DamagedBackup(f"After loading, {difference}.")


def _undone(
    engine: Engine, source: Source, kept: BackupSet | None, error: Exception, *, untouched: bool
) -> RestoreFailed:
    """Go back to the safety backup; returns the error that tells how that went."""
    failed = f"The restore of {source.name} into {engine.login.database} failed: {str(error).rstrip('.')}."
    if untouched:
        return RestoreFailed(f"{failed} It was rolled back; the database is as it was before.")
    if kept is None:
        return RestoreFailed(
            f"{failed} There is no safety backup (safety_backup=false): the database is INCOMPLETE now."
            " Restore a good backup before the application is used."
        )
    try:
        engine.load(decompressed(kept.data_file()))
    except (HoldfastError, OSError) as second:
        return RestoreFailed(
            f"{failed} The safety backup could not be put back either: {second} The database is INCOMPLETE now."
            f" Restore {kept.path} when the cause is mended."
        )
    return RestoreFailed(f"{failed} The safety backup {kept.id} was put back; the database is as it was before.")
