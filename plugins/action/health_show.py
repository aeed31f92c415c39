# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what health checks saw, line by line, as a module on a target could not."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.lines import lines_of_host

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


class ActionModule(ActionBase):
    """Shows the lines of all hosts, and returns which of them are not well."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(("results",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec({"results": {"type": "dict", "required": True}})
        shown: list[str] = []
        unwell: dict[str, list[str]] = {}
        for host, seen in args["results"].items():
            for status, text in lines_of_host(host, seen):
                Display().display(text, color=_COLOURS[status])
                shown.append(text)
                if status == "fail":
                    unwell.setdefault(host, []).append(text)
        return {"changed": False, "lines": shown, "unwell": unwell}
