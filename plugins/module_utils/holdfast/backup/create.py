# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a backup set: all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from ..compression import CODECS, Codec, CompressedFile
from ..encryption import SUFFIX, check_recipients
from ..engines import Engine, Inspection
from ..errors import DatabaseError, HoldfastError, InvalidInput
from ..faults import reached
from ..files import PRIVATE_DIR, make_dirs, write_json
from ..names import check_name, short_id
from ..streams import JOBS, MOST_JOBS, Bytes, side_by_side
from .lock import only_one
from .partial import partial_set
from .scratch import sweep
from .sets import MANIFEST, PARTIAL, BackupSet, DataFile, Manifest
from .verify import verify_written

_PATIENCE_S = 30.0  # with another backup or restore of the same database


@dataclass(frozen=True)
class Plan:
    """What to make: where, under which names, how packed, how far checked."""

    root: Path
    app: str
    label: str = "manual"
    compression: str = "zstd"
    compression_level: int | None = None
    verify: str = "archive"
    encrypt_to: tuple[str, ...] = ()
    identity: str | None = field(default=None, repr=False)  # the key that reads it back, for `verify`
    jobs: int = JOBS  # streams that the dump may be made of, where the engine can
    rehearse_on: Engine | None = None  # a login to the server that holds the scratch database, where it is another

    def codec(self) -> Codec:
        """The chosen format. Raises MissingTool or InvalidInput, so that nothing is begun in vain."""
        codec = CODECS[self.compression]
        codec.check_level(self.compression_level)
        codec.program()
        return codec


def check(engine: Engine, plan: Plan) -> Inspection:
    """Everything that can be known before a byte is written. Raises HoldfastError with what is missing."""
    check_name("app", plan.app)
    check_name("label", plan.label)
    plan.codec()
    if plan.jobs not in range(1, MOST_JOBS + 1):
        raise InvalidInput(f"jobs is {plan.jobs}, and has to be 1 to {MOST_JOBS}.")
    _check_encryption(plan)
    engine.check_tools()
    _check_writable(plan.root)
    return engine.inspect()


def _check_encryption(plan: Plan) -> None:
    check_recipients(plan.encrypt_to)
    if plan.encrypt_to and plan.verify in ("archive", "rehearse") and not plan.identity:
        raise InvalidInput(
            f"verify={plan.verify} reads the backup back, which takes the key: give age_identity. Or set"
            " verify=checksum, and rehearse it where the key is, as restore_drill.yml does."
        )


def _check_writable(root: Path) -> None:
    if not root.is_absolute():
        raise HoldfastError(f"The backup root {str(root)!r} is not an absolute path.")
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise HoldfastError(f"Backups cannot be written to {root}: {existing} is not a folder this user may write to.")


def create_set(engine: Engine, plan: Plan) -> BackupSet:
    """Dump the database into a new set and verify it; returns the finished set.

    Raises HoldfastError; then no set is left. That is Locked when another backup or restore of it is at work.
    """
    check(engine, plan)
    with only_one(engine, plan.root, plan.app, f"the backup {plan.label!r}", _PATIENCE_S):
        engine.mend()
        # A login that only reads cannot remove what another one left; that is no reason to do without a backup.
        with contextlib.suppress(DatabaseError):
            sweep(engine, plan.root / plan.app)
        return create_set_locked(engine, plan)


def create_set_locked(engine: Engine, plan: Plan) -> BackupSet:
    """As `create_set`, for who holds the database's lock.

    The position is taken before the dump, so that whatever is written in between counts as written since.
    """
    inspection = check(engine, plan)
    folder = plan.root / plan.app
    make_dirs(folder, PRIVATE_DIR)
    try:
        with partial_set(folder, lambda stamp: f"{stamp}-{plan.label}-{short_id()}") as partial:
            name = partial.name.removeprefix(PARTIAL)
            manifest = _fill(engine, plan, inspection, partial, name)
            result = BackupSet(partial, manifest, identity=plan.identity)
            if plan.verify != "none":
                result = result.with_verified(verify_written(result, plan.rehearse_on or engine, plan.verify))
            reached("backup: verified")
    except OSError as error:
        raise HoldfastError(
            f"The backup could not be written to {folder}: {error.strerror}. No set was left."
        ) from error
    return BackupSet(folder / name, result.manifest, result.verified, identity=plan.identity)


def _fill(engine: Engine, plan: Plan, inspection: Inspection, partial: Path, name: str) -> Manifest:
    started = time.monotonic()
    created = datetime.now(timezone.utc)
    codec = plan.codec()
    with engine.dump(partial, plan.jobs) as dump:
        names = ["database", *(f"rows-{number}" for number in range(1, len(dump.parts) + 1))]
        paths = [partial / f"{name}{engine.suffix}{codec.suffix}" for name in names]
        streams = [dump, *dump.parts]
        files = side_by_side(lambda number, stream: _write(stream, paths[number], codec, plan), streams, plan.jobs)
        content = dump.content
    files[1:] = [replace(part, at=dump.parts_at) for part in files[1:]]
    reached("backup: data written")
    manifest = Manifest(
        id=name,
        app=plan.app,
        label=plan.label,
        created=created.isoformat(timespec="microseconds"),
        host=socket.gethostname(),
        engine=engine.name,
        database=engine.login.database,
        server_version=inspection.version,
        size=inspection.size,
        position=inspection.position,
        settings=inspection.settings,
        content=content,
        compression=codec.name,
        compression_level=codec.check_level(plan.compression_level),
        files=tuple(files),
        duration=round(time.monotonic() - started, 3),
        encrypted_to=plan.encrypt_to,
    )
    write_json(partial / MANIFEST, manifest.to_json(), 0o600)
    reached("backup: manifest written")
    return manifest


def _write(stream: Iterator[Bytes], path: Path, codec: Codec, plan: Plan) -> DataFile:
    path = path.with_name(path.name + SUFFIX) if plan.encrypt_to else path
    with CompressedFile(path, codec, plan.compression_level, plan.encrypt_to) as file:
        for piece in stream:
            file.write(piece)
    return DataFile(path.name, file.size, file.sha256, file.raw_size)
