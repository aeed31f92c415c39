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

from .deadline import Deadline
from .processes import Process, processes, with_children

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


def find_workers(pattern: str, root: Path | None, deadline: Deadline) -> list[Worker]:
    """The processes whose command line has the pattern, of the application below a root where one is given.

    A shell or the like that only started such a process is none. One whose folder we may not know counts as being
    below the root. Raises OSError, TimeoutError included. Source: proc(5), /proc/pid/cwd and fd.
    """
    there = processes(deadline)
    wanted = re.compile(pattern)
    found = {pid: one for pid, one in there.items() if wanted.search(one.command_line)}
    workers = [_worker(found[pid], there) for pid in sorted(found) if _is_worker(found[pid], found)]
    real = root and root.resolve()
    return [one for one in workers if real is None or one.home is None or real in (one.home, *one.home.parents)]


def _is_worker(own: Process, found: Mapping[int, Process]) -> bool:
    """Whether a process is neither the wrapper of another that was found, nor a fork of one."""
    above = found.get(own.parent)
    if above is not None and above.name == own.name:
        return False
    return not any(one.parent == own.pid and one.name != own.name for one in found.values())


def _worker(process: Process, there: Mapping[int, Process]) -> Worker:
    home, deleted = _home(process)
    named = _QUEUES.search(process.command_line)
    return Worker(
        pid=process.pid,
        stopped=process.state in ("T", "t"),
        began=time.time() - process.uptime,
        rss=sum(one.rss for one in with_children([process], there)),
        home=home,
        deleted=deleted,
        queues=frozenset(named[1].split(",")) if named else frozenset(),
    )


def _home(process: Process) -> tuple[Path | None, bool]:
    """The folder of the code that a process runs, without links, and whether it is gone.

    PHP holds its script open, which tells more than the working folder; that is often the root of the file system.
    Before it has opened it, and where we may not know, an absolute path on the command line will do.
    """
    for link in _links(process.pid):
        path, deleted = _split(link)
        if path.name == _SCRIPT:
            return path.parent, deleted
    for word in process.command_line.split():
        if word.startswith("/") and Path(word).name == _SCRIPT:
            return Path(word).resolve().parent, False
    try:
        return _split(os.readlink(_PROC / str(process.pid) / "cwd"))
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
