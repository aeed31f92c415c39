# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory is left, on the machine and in the control group that this process runs in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..checks import CheckType, Look, Measure, Seen, Unhealthy
from ..deadline import why

_PROC = Path("/proc")
_MIB = 1 << 20


@dataclass(frozen=True)
class Room:
    """A place with a limit to its memory; both numbers are bytes."""

    what: str
    total: int
    available: int

    @property
    def used_percent(self) -> float:
        """How much of it is in use."""
        return round(100 * (self.total - self.available) / self.total, 1) if self.total else 100.0


def check_memory(look: Look) -> Seen:
    """Measure what can be had without swapping. Where a control group sets a lower limit, each measure is the worse."""
    try:
        return see_memory(_PROC)
    except OSError as error:
        raise Unhealthy(f"the use of memory cannot be read from {error.filename}: {why(error)}") from error


def see_memory(proc: Path) -> Seen:
    """What is seen in a folder such as /proc. Raises OSError."""
    info = _sizes(proc / "meminfo")
    machine = Room("the machine", info["MemTotal"], info["MemAvailable"])
    rooms = [machine, *(room for room in _groups(proc) if room.total < machine.total)]
    fullest = max(rooms, key=lambda room: room.used_percent)
    values = {
        "used_percent": fullest.used_percent,
        "available_mb": round(min(room.available for room in rooms) / _MIB, 1),
    }
    if info.get("SwapTotal"):
        values["swap_percent"] = Room("swap", info["SwapTotal"], info["SwapFree"]).used_percent
    swap = f", {values['swap_percent']:g} % of the swap" if "swap_percent" in values else ""
    return Seen(
        f"{fullest.used_percent:g} % of {fullest.total // _MIB} MiB are used by {fullest.what}{swap}, "
        f"{values['available_mb']:.10g} MiB are available",
        values,
    )


def _sizes(path: Path) -> dict[str, int]:
    """The sizes in a file such as /proc/meminfo, in bytes (proc(5): its kB are 1024)."""
    return {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", path.read_text(), re.MULTILINE)}


def _groups(proc: Path) -> Iterator[Room]:
    """This process's control group and those above it that set a limit (Linux, Control Group v2, "Memory")."""
    for folder, top in _own_groups(proc):
        while True:
            room = _group(folder)
            if room is not None:
                yield room
            if folder == top:
                break
            folder = folder.parent


def _own_groups(proc: Path) -> Iterator[tuple[Path, Path]]:
    """The folder of this process's group and its topmost folder that can be seen, for each mount of version 2."""
    lines = (proc / "self/cgroup").read_text().splitlines()
    own = next((line[len("0::") :] for line in lines if line.startswith("0::")), None)
    for line in (proc / "self/mountinfo").read_text().splitlines() if own else ():
        fields, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            root, top = fields.split()[3:5]
            path = PurePosixPath(str(own))
            # A container sees its own part only: the mount's root, which its group's path may begin with.
            if ".." not in path.parts and PurePosixPath(root) in (path, *path.parents):
                yield Path(top) / path.relative_to(root), Path(top)


def _group(folder: Path) -> Room | None:
    """A group with a limit. What it holds of files and could drop at once is not counted as used."""
    try:
        limit = (folder / "memory.max").read_text().strip()
        if not limit.isdecimal():
            return None
        current = int((folder / "memory.current").read_text())
        idle = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return None  # the topmost group has no such files
    used = max(0, current - int(idle[1] if idle else 0))
    return Room(f"the control group {folder.name}", int(limit), max(0, int(limit) - used))


MEMORY = CheckType(
    options={},
    run=check_memory,
    target=lambda options: "of the machine",
    component="system",
    measures={
        "used_percent": Measure("%", warn=85, fail=95),
        "available_mb": Measure("MiB", lower_is_worse=True),
        "swap_percent": Measure("%", warn=80),
    },
)
