# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the module who opens a journal, and whether one of this controller that holds it still lives."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase


def started(pid: int) -> str | None:
    """When a process was started, in clock ticks since boot (proc(5), stat, field 22); None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]


def node() -> str:
    """This controller, since its last boot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = "unknown"
    return f"{socket.gethostname()}/{boot}"


def owner() -> dict[str, Any]:
    """The ansible-playbook that runs this task: the parent of the worker process that runs this plugin."""
    pid = os.getppid()
    return {"node": node(), "user": getpass.getuser(), "pid": pid, "started": started(pid)}


def is_dead(holder: dict[str, Any]) -> bool:
    """Whether the owner of a journal ran on this very controller and is gone."""
    return holder.get("node") == node() and started(int(holder["pid"])) != holder.get("started")


class ActionModule(ActionBase):
    """Runs the module, and once more when what holds the lock turns out to be dead."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        args = {**self._task.args, "owner": owner()}
        if args.get("state") != "opened":
            return self._module(args, task_vars)
        # Asked without waiting first: a dead owner is not worth waiting for.
        result = self._module({**args, "wait": 0}, task_vars)
        holder = result.get("locked_by")
        if holder and is_dead(holder["owner"]):
            return self._module({**args, "takeover": holder["id"]}, task_vars)
        if holder and int(args.get("wait") or 0) > 0:
            return self._module(args, task_vars)
        return result

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        return self._execute_module(module_name=self._task.action, module_args=args, task_vars=task_vars)
