# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets that are not whole yet: made all or not at all, and cleared away by the next run when this one is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ..faults import reached
from ..files import PRIVATE_DIR, fsync_dir
from ..names import new_stamp
from .sets import LOCK, PARTIAL


@contextlib.contextmanager
def partial_set(folder: Path, name: Callable[[str], str]) -> Iterator[Path]:
    """A folder that gets its name when the block ends well, and is removed when it does not.

    `name` makes the name of a stamp that is later than those of all sets in `folder`.
    """
    partial, lock = _begin(folder, name)
    try:
        reached("backup: folder made")
        yield partial
        fsync_dir(partial)
        final = folder / partial.name.removeprefix(PARTIAL)
        partial.rename(final)
        fsync_dir(folder)
        reached("backup: named")
        (final / LOCK).unlink()
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _begin(folder: Path, name: Callable[[str], str]) -> tuple[Path, int]:
    """A new partial set, and the descriptor that holds its lock; what killed runs left is removed."""
    gate = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Nobody else is between a new folder and its lock now: one without is abandoned.
        fcntl.flock(gate, fcntl.LOCK_EX)
        for partial in folder.glob(PARTIAL + "*"):
            _remove_abandoned(partial)
        stamp = new_stamp(entry.name.removeprefix(PARTIAL) for entry in folder.iterdir())
        partial = folder / (PARTIAL + name(stamp))
        partial.mkdir(mode=PRIVATE_DIR)
        lock = os.open(partial / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return partial, lock
    finally:
        os.close(gate)


def _remove_abandoned(partial: Path) -> None:
    """Remove a partial set unless a live run holds its lock."""
    with contextlib.suppress(FileNotFoundError), open(partial / LOCK, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    shutil.rmtree(partial, ignore_errors=True)
