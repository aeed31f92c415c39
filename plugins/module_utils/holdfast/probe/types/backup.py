# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an application's backups are young, whole, verified, and kept elsewhere too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...backup.sets import LEVELS, SAFETY_LABEL, BackupSet, list_sets
from ...errors import HoldfastError
from ...names import stamp_of
from ...units import size
from .. import options as opt
from ..checks import FAIL, WARN, CheckType, Look, Measure, Option, Seen, Unhealthy, excerpt

_SECONDS_AN_HOUR = 3600.0


def check_backup(look: Look) -> Seen:
    """Look at the sets that were made as backups; those of what a restore replaced do not count."""
    options = look.options
    root, app = Path(options["root"]), options["app"]
    sets, damaged = _sets(root, app)
    if not sets:
        also = f": {excerpt(' '.join(damaged))}" if damaged else ""
        raise Unhealthy(f"there is no whole backup of {app} in {root}{also}", verdict="missing")
    newest = sets[-1]
    values = {"age_h": _age(newest, look.now), **_ratio(sets)}
    wanted = LEVELS.index(options["verify"])
    verified = [one for one in sets if one.level >= wanted]
    offsite = [one for one in sets if one.offsite]
    if verified:
        values["verified_age_h"] = _age(verified[-1], look.now)
    if offsite:
        values["offsite_age_h"] = _age(offsite[-1], look.now)
    said = f"{newest.id}, {size(newest.size)}, verified: {LEVELS[newest.level]}"
    said += f", off-site: {'yes' if newest.offsite else 'no'}"
    if not verified:
        return Seen(f"no backup is verified at {options['verify']} or further ({said})", values, FAIL, "unverified")
    if options["offsite"] and not newest.offsite:
        return Seen(f"the newest backup has no off-site copy ({said})", values, FAIL, "not_offsite")
    if damaged:
        return Seen(f"{excerpt(' '.join(damaged))} ({said})", values, WARN, "damaged")
    return Seen(said, values)


def _sets(root: Path, app: str) -> tuple[list[BackupSet], list[str]]:
    """The whole sets, oldest first, and a sentence for each that is not."""
    try:
        sets, damaged = list_sets(root, app)
    except HoldfastError as error:
        raise Unhealthy(str(error).rstrip(".")) from error
    made = [one for one in sets if one.manifest.label != SAFETY_LABEL]
    torn = {one.id: file for one in made for file in [_lacking(one)] if file}
    damaged += [f"The backup {name} is not whole: see its file {file}." for name, file in torn.items()]
    return [one for one in made if one.id not in torn], damaged


def _lacking(backup: BackupSet) -> str | None:
    """A file of a set that is not there, or not as long as it was written; the content is not read."""
    for entry in backup.manifest.files:
        try:
            if (backup.path / entry.name).stat().st_size != entry.size:
                return entry.name
        except OSError:
            # A set that has been pruned meanwhile lacks nothing.
            return entry.name if backup.path.is_dir() else None
    return None


def _age(backup: BackupSet, now: float) -> float:
    made = stamp_of(backup.id)
    assert made is not None, "list_sets returns what has a time in its name"
    return round((now - made.timestamp()) / _SECONDS_AN_HOUR, 2)


def _ratio(sets: Sequence[BackupSet]) -> dict[str, float]:
    """How many times as big the newest set is as the one before it of the same database."""
    newest = sets[-1]
    before = [one.size for one in sets[:-1] if one.source == newest.source]
    return {"size_ratio": round(newest.size / before[-1], 3)} if before and before[-1] else {}


BACKUP = CheckType(
    options={
        "root": Option(opt.text, required=True),
        "app": Option(opt.text, required=True),
        "verify": Option(opt.choice(*LEVELS), "archive"),
        "offsite": Option(opt.boolean, False),
    },
    run=check_backup,
    target=lambda options: f"of {options['app']}",
    component="datastore",
    measures={
        "age_h": Measure("h", warn=26, fail=50),
        "verified_age_h": Measure("h", warn=26, fail=50),
        "offsite_age_h": Measure("h"),
        "size_ratio": Measure(lower_is_worse=True),
    },
)
