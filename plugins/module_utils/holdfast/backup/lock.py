# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backup or restore of a database at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from ..engines import Engine
from ..errors import HoldfastError, Locked
from ..files import PRIVATE_DIR, make_dirs
from ..names import check_name

_POLL_S = 0.2


@contextlib.contextmanager
def only_one(engine: Engine, root: Path, app: str, what: str, wait: float) -> Iterator[None]:
    """Let no other process back up or restore this database from `root` in the block.

    `what` says what this process does, to others. Raises Locked when another is still at it after `wait` seconds.
    """
    folder = root / check_name("app", app)
    make_dirs(folder, PRIVATE_DIR)
    source = f"{engine.name} {engine.login.database}"
    path = folder / f".lock-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    try:
        lock = _locked(path, time.monotonic() + wait)
        try:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            os.write(lock, json.dumps({"what": what, "pid": os.getpid(), "since": now}).encode())
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(lock)
    except BlockingIOError:
        raise Locked(
            f"Nothing was begun: {_holder(path)} is at work on the database {engine.login.database}. Wait for its end."
        ) from None


def _locked(path: Path, deadline: float) -> int:
    """A descriptor that holds the lock. Raises BlockingIOError when it stays taken."""
    while True:
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HoldfastError(f"Cannot write to {path.parent}: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before has removed the file, and another may have made a new one.
            if path.exists() and os.fstat(lock).st_ino == path.stat().st_ino:
                os.ftruncate(lock, 0)
                return lock
            os.close(lock)
        except BlockingIOError:
            os.close(lock)
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"{holder['what']} (process {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError):
        return "another backup or restore"
