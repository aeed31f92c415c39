# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue workers among this host's processes."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SCRIPT = "artisan"
_QUEUES = re.compile(r"\s--queue[= ](\S+)")
_DELETED = " (deleted)"  # what the kernel appends to the path of a file that is gone (proc(5), /proc/pid/cwd)


@dataclass(frozen=True)
class Worker:
    """A worker process. `began` is in seconds since 1970; `rss` the bytes that it and its descendants have in memory.

    `home` is the folder of the code that it runs, None where the system does not let us know. `queues` are those that
    its command line names.
    """

    pid: int
    stopped: bool
    began: float
    rss: int
    home: Path | None
    deleted: bool
    queues: frozenset[str] = frozenset()

    def serves(self, queue: str) -> bool:
        """Whether it may take jobs of a queue; one that names no queue takes those of one that we do not know."""
        return not self.queues or queue in self.queues

    @property
    def down(self) -> bool:
        """Whether its application is in maintenance, in which Laravel's workers take no job unless started by force."""
        return self.home is not None and (self.home / "storage/framework/down").exists()

    def old_release(self, root: Path | None) -> str:
        """The name of the release whose code it runs though it is not the current one; empty where that is fine.

        The current release is what the link `current` in the application's root points to. Without a root it is
        looked for two folders above the code, where it is beside `releases`.
        """
        if self.home is None:
            return ""
        if self.deleted:
            return self.home.name
        current = (root or self.home.parent.parent) / "current"
        if not current.is_symlink() or current.resolve() == self.home:
            return ""
        return self.home.name


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    name: str
    state: str
    started: float
    rss: int


def find_workers(pattern: str, root: Path | None) -> list[Worker]:
    """The processes whose command line has the pattern, of the application below a root where one is given.

    A shell or the like that only started such a process is none. One whose folder we may not know counts as being
    below the root. Source: proc(5), /proc/pid/stat, cmdline, cwd and fd.
    """
    processes = {one.pid: one for one in _processes()}
    wanted = re.compile(pattern)
    found = {pid for pid in processes if wanted.search(_command(pid))}
    workers = [_worker(processes[pid], processes) for pid in sorted(found) if _is_worker(pid, found, processes)]
    real = root and root.resolve()
    return [one for one in workers if real is None or one.home is None or real in (one.home, *one.home.parents)]


def _is_worker(pid: int, found: set[int], processes: Mapping[int, _Process]) -> bool:
    """Whether a process is neither the wrapper of another that was found, nor a fork of one."""
    own = processes[pid]
    above = processes.get(own.parent)
    if above is not None and above.pid in found and above.name == own.name:
        return False
    return not any(one.parent == pid and one.name != own.name and one.pid in found for one in processes.values())


def _processes() -> Iterator[_Process]:
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for entry in os.listdir(_PROC):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):  # it has ended meanwhile
            # The name may itself have spaces and brackets (proc(5), /proc/pid/stat).
            head, _, rest = (_PROC / entry / "stat").read_text(errors="replace").rpartition(")")
            fields = rest.split()
            name = head.partition("(")[2]
            yield _Process(int(entry), int(fields[1]), name, fields[0], int(fields[19]) / ticks, int(fields[21]) * page)


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _worker(process: _Process, processes: Mapping[int, _Process]) -> Worker:
    tree = {process.pid}
    while more := {one.pid for one in processes.values() if one.parent in tree} - tree:
        tree |= more
    home, deleted = _home(process.pid)
    return Worker(
        pid=process.pid,
        stopped=process.state in ("T", "t"),
        began=time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + process.started,
        rss=sum(processes[pid].rss for pid in tree),
        home=home,
        deleted=deleted,
        queues=frozenset(named[1].split(",")) if (named := _QUEUES.search(_command(process.pid))) else frozenset(),
    )


def _home(pid: int) -> tuple[Path | None, bool]:
    """The folder of the code that a process runs, without links, and whether it is gone.

    PHP holds its script open, which tells more than the working folder; that is often the root of the file system.
    Before it has opened it, and where we may not know, an absolute path on the command line will do.
    """
    for link in _links(pid):
        path, deleted = _split(link)
        if path.name == _SCRIPT:
            return path.parent, deleted
    for word in _command(pid).split():
        if word.startswith("/") and Path(word).name == _SCRIPT:
            return Path(word).resolve().parent, False
    try:
        return _split(os.readlink(_PROC / str(pid) / "cwd"))
    except OSError:
        return None, False


def _split(link: str) -> tuple[Path, bool]:
    deleted = link.endswith(_DELETED)
    return Path(link[: -len(_DELETED)] if deleted else link), deleted


def _links(pid: int) -> Iterator[str]:
    folder = _PROC / str(pid) / "fd"
    with contextlib.suppress(OSError):
        for number in sorted(os.listdir(folder), key=int):
            with contextlib.suppress(OSError):
                yield os.readlink(folder / number)
