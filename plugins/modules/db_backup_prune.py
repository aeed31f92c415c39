#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_backup_prune
short_description: Remove the backup sets that a retention policy does not keep
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Removes old backup sets of an application, those of each of its databases for itself.
  - Never removed, whatever the policy says, are the newest set, the newest of those that were verified at the highest
    level, the sets that a release or an unfinished deploy in O(deploy_path) would go back to, and a set that is being
    read.
  - Sets whose manifest cannot be read are left alone, and returned.
extends_documentation_fragment:
  - holdfast.deploy.retention
attributes:
  check_mode:
    support: full
    description: Says what would be removed.
  diff_mode:
    support: full
    description: Shows the sets before and after.
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
  deploy_path:
    description: The folder the application is deployed to, as in the role C(holdfast.deploy.deploy).
    type: path
seealso:
  - module: holdfast.deploy.db_backup
  - module: holdfast.deploy.db_backup_info
"""

EXAMPLES = r"""
- name: Keep a week of everything, then one a day, a week and a month
  holdfast.deploy.db_backup_prune:
    root: /var/backups/holdfast
    app: shop
    deploy_path: /srv/shop
    keep_within: 7d
    keep_daily: 31
    keep_weekly: 13
    keep_monthly: 24
"""

RETURN = r"""
removed:
  description: The ids of the sets that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
kept:
  description: Why each of the others is kept, by id.
  returned: success
  type: dict
  sample: {"20261123T150735.123456Z-nightly-64a6ef": ["daily", "the newest"]}
freed:
  description: Bytes that this frees.
  returned: success
  type: int
damaged:
  description: A sentence for each set whose manifest cannot be read.
  returned: success
  type: list
  elements: str
"""

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.backup.prune import judge, named_by, remove_set
from ..module_utils.holdfast.backup.sets import list_sets
from ..module_utils.holdfast.errors import HoldfastError
from ..module_utils.holdfast.options import RETENTION_OPTIONS, policy_from


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    policy = policy_from(params)
    named = named_by(Path(params["deploy_path"])) if params["deploy_path"] else {}
    sets, damaged = list_sets(Path(params["root"]), params["app"])
    kept = judge(sets, policy, named, datetime.now(timezone.utc))
    removed = []
    freed = 0
    for backup in [one for one in sets if not kept[one.id]]:
        if module.check_mode or remove_set(backup):
            removed.append(backup.id)
            freed += backup.size
            del kept[backup.id]
        else:
            kept[backup.id] = ["being read"]
    result = {"changed": bool(removed), "removed": removed, "kept": kept, "freed": freed, "damaged": damaged}
    if module._diff:
        before = [one.id for one in sets]
        result["diff"] = {
            "before": "".join(f"{name}\n" for name in before),
            "after": "".join(f"{name}\n" for name in before if name not in removed),
        }
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **RETENTION_OPTIONS,
            "root": {"type": "path", "required": True},
            "app": {"type": "str", "required": True},
            "deploy_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
