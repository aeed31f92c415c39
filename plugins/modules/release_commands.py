#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_commands
short_description: Run an application's own commands in one release
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Runs commands one after the other, without a shell, in one folder and one round trip, until one fails.
  - The environment goes to the commands only. Unlike the keyword C(environment) it stands in no argument list.
attributes:
  check_mode:
    support: full
    description: Nothing is run.
  diff_mode:
    support: none
    description: What a command changes is not known.
  platform:
    support: full
    platforms: posix
    description: Any system with Python.
options:
  commands:
    description:
      - The commands; each a text that is split into words as a shell would, or a dictionary with C(cmd) and
        C(if_exists), a path in O(chdir) without which the command is left out.
    type: list
    elements: raw
    required: true
  chdir:
    description: The folder to run them in.
    type: path
    required: true
  environment:
    description:
      - Variables for the commands, added to the login's own.
      - Values of those whose names speak of a password, secret, token, key, credential, DSN or URL are masked in all
        that is shown.
    type: dict
    default: {}
seealso:
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Build the release
  holdfast.deploy.release_commands:
    chdir: /srv/shop/releases/20261123T150735.123456Z-ab12cd
    commands:
      - cmd: composer install --no-dev --no-interaction
        if_exists: composer.lock
      - php artisan config:cache
"""

RETURN = r"""
results:
  description: How each command that was run ended, in order; the last is the one that failed, if one did.
  returned: always
  type: list
  elements: dict
  contains:
    cmd:
      description: The command.
      type: str
    rc:
      description: Its exit status; 127 when it could not be run.
      type: int
    stdout:
      description: Its output.
      type: str
    stderr:
      description: Its error output.
      type: str
    seconds:
      description: How long it took.
      type: float
stdout:
  description: The output of all commands together.
  returned: success
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.commands import CommandFailed, parse, run_all, secrets_in
from ..module_utils.holdfast.errors import HoldfastError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "commands": {"type": "list", "elements": "raw", "required": True},
            "chdir": {"type": "path", "required": True},
            "environment": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    environment = {name: str(value) for name, value in module.params["environment"].items()}
    module.no_log_values.update(secrets_in(environment))
    try:
        commands = [parse(entry) for entry in module.params["commands"]]
        if module.check_mode:
            module.exit_json(changed=bool(commands), results=[], stdout="")
        results = run_all(commands, Path(module.params["chdir"]), environment)
    except CommandFailed as error:
        module.fail_json(msg=str(error), results=error.results)
    except HoldfastError as error:
        module.fail_json(msg=str(error), results=[])
    module.exit_json(changed=bool(results), results=results, stdout="".join(one["stdout"] for one in results))


if __name__ == "__main__":
    main()
