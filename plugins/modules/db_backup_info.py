#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_backup_info
short_description: List the backup sets of an application
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Reads the manifests of an application's backup sets. It needs no database and no password.
attributes:
  check_mode:
    support: full
    description: It only reads.
  diff_mode:
    support: none
    description: It changes nothing.
  platform:
    support: full
    platforms: linux
    description: As the modules that make the sets.
options:
  root:
    description: The folder that holds the backup sets.
    type: path
    required: true
  app:
    description: The application's name, a folder in O(root).
    type: str
    required: true
  max_age:
    description: How old the newest set may be, written like V(26h) or V(2d) (s, m, h, d); see RV(overdue).
    type: str
seealso:
  - module: holdfast.deploy.db_backup
  - module: holdfast.deploy.db_restore
"""

EXAMPLES = r"""
- name: See which backups there are
  holdfast.deploy.db_backup_info:
    root: /var/backups/holdfast
    app: shop
  register: backups

- name: Insist that there is one
  ansible.builtin.assert:
    that: backups.backup_sets | length > 0
    fail_msg: There is no backup of the shop.
"""

RETURN = r"""
backup_sets:
  description: The complete sets, oldest first, each as M(holdfast.deploy.db_backup) returns it.
  returned: success
  type: list
  elements: dict
overdue:
  description: A sentence when there is no set, safety backups aside, that is younger than O(max_age); null otherwise.
  returned: success
  type: str
damaged:
  description: A sentence for each set whose manifest cannot be read.
  returned: success
  type: list
  elements: str
"""

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.backup.sets import list_sets, overdue
from ..module_utils.holdfast.errors import HoldfastError
from ..module_utils.holdfast.units import parse_span


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "app": {"type": "str", "required": True},
            "max_age": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        max_age = parse_span("max_age", params["max_age"]) if params["max_age"] else None
        sets, damaged = list_sets(Path(params["root"]), params["app"])
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    late = overdue(sets, max_age, datetime.now(timezone.utc)) if max_age else None
    module.exit_json(changed=False, backup_sets=[one.summary() for one in sets], overdue=late, damaged=damaged)


if __name__ == "__main__":
    main()
