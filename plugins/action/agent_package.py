# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the agent where the whole collection is, and has it copied to the target."""

from __future__ import annotations

import json
import tempfile
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.build import package
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.config import understand
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput


class ActionModule(ActionBase):
    """Hands what it built to Ansible's own action copy."""

    TRANSFERS_FILES = True
    _VALID_ARGS = frozenset(("dest", "settings"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            {"dest": {"type": "path", "required": True}, "settings": {"type": "dict", "required": True, "no_log": True}}
        )
        try:
            understand(json.dumps(args["settings"]))
        except InvalidInput as error:
            raise AnsibleActionFail(str(error)) from None
        with tempfile.NamedTemporaryFile(prefix="holdfast-", suffix=".pyz") as built:
            built.write(package())
            built.flush()
            task = self._task.copy()
            task.args = {"src": built.name, "dest": args["dest"], "mode": "0755"}
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.builtin.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            # A difference of two archives is nothing that anybody could read.
            task.diff = False
            result: dict[str, Any] = copy.run(task_vars=task_vars)
        return result
