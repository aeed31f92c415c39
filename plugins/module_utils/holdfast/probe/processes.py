# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of this machine, as /proc shows them (proc(5))."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .deadline import Deadline

_PROC = Path("/proc")
_NAME_LENGTH = 15  # of a name the kernel keeps no more (proc(5), /proc/pid/comm)
_ENDED = "ZX"


@dataclass(frozen=True)
class Process:
    """A process that has not ended. `state` is a letter, `started` is in seconds since boot, `rss` in bytes."""

    pid: int
    name: str
    state: str
    parent: int
    group: int
    started: float
    rss: int

    @property
    def command_line(self) -> str:
        """Its words with a space between them; empty for a thread of the kernel and for one that has ended."""
        with contextlib.suppress(OSError):
            return (_PROC / f"{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return ""

    @property
    def user_id(self) -> int | None:
        """The user whose rights it has."""
        found = re.search(r"^Uid:\s+\d+\s+(\d+)", self._read("status"), re.MULTILINE)
        return int(found[1]) if found else None

    @property
    def uptime(self) -> float:
        """The seconds since it began."""
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - self.started)

    def is_called(self, name: str) -> bool:
        """Whether it has a name, of which the kernel keeps 15 bytes."""
        return self.name == os.fsdecode(os.fsencode(name)[:_NAME_LENGTH])

    def files_percent(self) -> float | None:
        """Its open files, as a share of its limit; None when there is no limit, or it is not ours to know."""
        found = re.search(r"^Max open files\s+(\d+)", self._read("limits"), re.MULTILINE)
        with contextlib.suppress(OSError):
            if found and int(found[1]):
                return round(100 * len(os.listdir(_PROC / f"{self.pid}/fd")) / int(found[1]), 1)
        return None

    def _read(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (_PROC / f"{self.pid}/{name}").read_text(errors="replace")
        return ""


def processes(deadline: Deadline) -> dict[int, Process]:
    """All processes that have not ended, by their ids. Raises OSError, TimeoutError included."""
    found = {}
    for entry in os.listdir(_PROC):
        if entry.isdecimal():
            deadline.left()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended just now
                process = _process(int(entry), (_PROC / entry / "stat").read_bytes())
                if process is not None:
                    found[process.pid] = process
    return found


def _process(pid: int, stat: bytes) -> Process | None:
    # The name is in parentheses and may have spaces and parentheses itself; the third field follows.
    head, _, tail = stat.rpartition(b")")
    fields = tail.decode().split()
    if fields[0] in _ENDED:
        return None
    return Process(
        pid=pid,
        name=os.fsdecode(head.partition(b"(")[2]),
        state=fields[0],
        parent=int(fields[1]),
        group=int(fields[2]),
        started=int(fields[19]) / os.sysconf("SC_CLK_TCK"),
        rss=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
    )


def without_us(some: Iterable[Process], found: Mapping[int, Process]) -> list[Process]:
    """Processes but ourselves: this process, a copy of it, and the shell, sudo or Ansible that it was called by.

    What a check looks for is in the command line of these too. A parent in another process group, such as the cron
    or the sshd that we came by, is a process like any other.
    """
    own = found.get(os.getpid())
    if own is None:
        return list(some)
    words = own.command_line
    callers = _callers(own, found)
    return [one for one in some if one is not own and one.pid not in callers and one.command_line != words]


def _callers(own: Process, found: Mapping[int, Process]) -> set[int]:
    """The parents in our process group, and copies of them further up, as Ansible has one per task."""
    callers: set[int] = set()
    words = {own.command_line}
    above = found.get(own.parent)
    while above and above.pid not in callers and (above.group == own.group or above.command_line in words):
        callers.add(above.pid)
        words.add(above.command_line)
        above = found.get(above.parent)
    return callers


def with_children(some: Iterable[Process], found: Mapping[int, Process]) -> list[Process]:
    """Processes and all that they started, each once."""
    children: dict[int, list[int]] = {}
    for process in found.values():
        children.setdefault(process.parent, []).append(process.pid)
    wanted: dict[int, Process] = {}
    left = [process.pid for process in some]
    while left:
        pid = left.pop()
        if pid not in wanted:
            wanted[pid] = found[pid]
            left += children.get(pid, [])
    return list(wanted.values())
