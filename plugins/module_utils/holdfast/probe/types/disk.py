# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full a filesystem is, in bytes and in inodes."""

from __future__ import annotations

import os

from .. import options as opt
from ..checks import CheckType, Look, Measure, Option, Seen, Unhealthy
from ..deadline import why

_MIB = 1 << 20


def check_disk(look: Look) -> Seen:
    """Measure the filesystem that a path lies on, for a user other than root, as df(1) does."""
    path = look.options["path"]
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        raise Unhealthy(f"there is no {path}") from None
    except (OSError, ValueError) as error:
        raise Unhealthy(f"{path} cannot be looked at: {why(error)}") from error
    values = {"free_mb": round(found.f_bavail * found.f_frsize / _MIB, 1)}
    said = f"{values['free_mb']:.10g} MiB are free"
    # A filesystem such as /proc has no blocks, and one such as Btrfs no fixed number of inodes: statvfs(3) gives 0.
    used = found.f_blocks - found.f_bfree
    if used + found.f_bavail > 0:
        values["used_percent"] = _percent(used, found.f_bavail)
        said += f", {values['used_percent']:g} % are used"
    if found.f_files > 0:
        values["inodes_percent"] = _percent(found.f_files - found.f_ffree, found.f_favail)
        said += f", {values['inodes_percent']:g} % of the inodes"
    return Seen(f"{said} at {path}", values)


def _percent(used: int, available: int) -> float:
    return round(100 * used / (used + available), 1) if used + available else 100.0


DISK = CheckType(
    options={"path": Option(opt.text, required=True)},
    run=check_disk,
    target=lambda options: str(options["path"]),
    component="system",
    measures={
        "used_percent": Measure("%", warn=80, fail=90),
        "inodes_percent": Measure("%", warn=80, fail=90),
        "free_mb": Measure("MiB", lower_is_worse=True),
    },
)
