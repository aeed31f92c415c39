# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing the backup sets that a policy does not keep, and never those that somebody relies on."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from .. import journal as journals
from ..errors import HoldfastError
from ..faults import reached
from ..files import fsync_dir
from ..names import stamp_of
from ..release import Releases
from .retention import Policy, reasons_to_keep
from .sets import LEVELS, LOCK, MANIFEST, PARTIAL, BackupSet


class Candidate(Protocol):
    """What there is to know of a set, or of a copy of one. `level` is an index of LEVELS."""

    @property
    def id(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def source(self) -> tuple[str, str]:
        """Engine and database."""


def judge(sets: Sequence[Candidate], policy: Policy, named: Mapping[str, str], now: datetime) -> dict[str, list[str]]:
    """Why each set is kept, by its id; nobody needs the ones without a reason.

    Each database of an application is judged for itself. Kept whatever the policy says are the newest set, the
    newest of those verified at the highest level, and those in `named`, which gives a reason for each id.
    """
    reasons: dict[str, list[str]] = {}
    for group in _by_database(sets):
        times = [_time(backup) for backup in group]
        for backup, found in zip(group, reasons_to_keep(times, policy, now)):
            reasons[backup.id] = found
        newest, best = max(group, key=_time), max(group, key=lambda backup: (backup.level, _time(backup)))
        reasons[newest.id].append("the newest")
        if best.level:
            reasons[best.id].append(f"the newest one verified to {LEVELS[best.level]}")
    for name in reasons.keys() & named.keys():
        reasons[name].append(named[name])
    return reasons


def _by_database(sets: Iterable[Candidate]) -> list[list[Candidate]]:
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for backup in sets:
        groups.setdefault(backup.source, []).append(backup)
    return list(groups.values())


def _time(backup: Candidate) -> datetime:
    time = stamp_of(backup.id)
    assert time is not None, "a set's id begins with its time"
    return time


def named_by(deploy_path: Path) -> dict[str, str]:
    """The sets that an application's releases and its unfinished deploy would go back to, with a reason for each."""
    named = {
        release.restore_point: f"restore point of release {release.id}"
        for release in Releases(deploy_path).registry().releases
        if release.restore_point
    }
    journal = journals.read(deploy_path)
    for one in (journal, journal["unfinished"]) if journal else ():
        if one and one["data"].get("restore_point"):
            named[one["data"]["restore_point"]] = f"restore point of the unfinished deploy {one['id']}"
    return named


def remove_set(backup: BackupSet) -> bool:
    """Remove a set; False when somebody reads it just now. Raises HoldfastError.

    It loses its name first, so that one that is removed in part never looks whole.
    """
    try:
        with open(backup.path / MANIFEST, "rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            _remove(backup.path)
    except OSError as error:
        raise HoldfastError(f"The backup {backup.path} could not be removed: {error.strerror}.") from error
    return True


def _remove(folder: Path) -> None:
    gone = folder.with_name(f"{PARTIAL}gone-{folder.name}")
    with open(folder / LOCK, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(folder, gone)
        fsync_dir(gone.parent)
        reached("prune: renamed")
        # The lock goes last: by it the next backup knows what a killed run left.
        for entry in gone.iterdir():
            if entry.name != LOCK:
                entry.unlink()
        reached("prune: emptied")
        shutil.rmtree(gone)
