# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving that a set is what its manifest says."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..compression import hash_file, tested
from ..engines import Engine
from ..errors import DamagedBackup
from .rehearse import rehearse
from .sets import BackupSet


def verify_set(backup: BackupSet, engine: Engine, level: str) -> dict[str, Any]:
    """Check a set at a level of LEVELS; returns the level, when, and how long it took in seconds.

    `checksum`: every file has its recorded size and SHA-256. `archive`: as well, it decompresses to its end,
    is a whole dump, and holds the recorded tables, row counts, checksums and schema. `rehearse`: all of that is seen
    after it was restored into a scratch database beside the engine's; how long that took is `restore_seconds`.
    Raises DamagedBackup that says what differs.
    """
    started = time.monotonic()
    if level != "none":
        check_files(backup)
    if level == "archive":
        _check_archive(backup, engine)
    return _found(backup, engine, level, started)


def verify_written(backup: BackupSet, engine: Engine, level: str) -> dict[str, Any]:
    """The same for a set that this process has just written.

    That it is a whole dump with the recorded content was seen as it passed. So `archive` asks only whether the disk
    gives back what passed: the files' hashes, and the checksums inside of the compressed data, made of it before.
    """
    started = time.monotonic()
    if level == "checksum":
        check_files(backup)
    elif level != "none":
        if backup.manifest.encrypted_to:
            check_files(backup)
            for _ in backup.data():
                pass
        else:
            with contextlib.ExitStack() as stack:
                for path in backup.data_files():
                    stack.enter_context(tested(path))
                check_files(backup)
    return _found(backup, engine, level, started)


def _found(backup: BackupSet, engine: Engine, level: str, started: float) -> dict[str, Any]:
    rehearsal = {"restore_seconds": round(rehearse(backup, engine), 3)} if level == "rehearse" else {}
    return {
        "level": level,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 3),
        **rehearsal,
    }


def check_files(backup: BackupSet) -> None:
    """Raise DamagedBackup unless every file has its recorded size and SHA-256."""
    for entry in backup.manifest.files:
        path = backup.path / entry.name
        if not path.is_file():
            raise DamagedBackup(f"The backup {backup.id} is damaged: its file {entry.name} is missing.")
        size, sha256 = hash_file(path)
        if size != entry.size:
            raise DamagedBackup(
                f"The backup {backup.id} is damaged: {entry.name} has {size} bytes instead of {entry.size}."
            )
        if sha256 != entry.sha256:
            raise DamagedBackup(f"The backup {backup.id} is damaged: {entry.name} is not what was written (SHA-256).")


def _check_archive(backup: BackupSet, engine: Engine) -> None:
    near = backup.path if os.access(backup.path, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".holdfast-", dir=near) as workdir:
        content = engine.examine(backup.data(), Path(workdir))
    difference = backup.manifest.content.difference(content)
    if difference:
        raise DamagedBackup(f"The backup {backup.id} is not what its manifest says: {difference}.")
