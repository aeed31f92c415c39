#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_kept_prune
short_description: Remove the databases that restores replaced and kept
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - A restore that swaps keeps what it replaced as C(NAME__before_TIME). This removes the ones that were replaced longer
    ago than O(keep_for).
extends_documentation_fragment:
  - holdfast.deploy.database
attributes:
  check_mode:
    support: full
    description: Says what would be removed.
  diff_mode:
    support: full
    description: Shows the kept databases before and after.
  platform:
    support: full
    platforms: linux
    description: As the modules that restore.
options:
  root:
    description: The folder that holds the backup sets; a restore at work there is waited for.
    type: path
    required: true
  app:
    description: The application's name, a folder in O(root).
    type: str
    required: true
  keep_for:
    description: How long a replaced database is kept, written like V(3d) or V(12h) (years, months, days, hours).
    type: str
    required: true
seealso:
  - module: holdfast.deploy.db_restore
"""

EXAMPLES = r"""
- name: Remove what restores replaced more than three days ago
  holdfast.deploy.db_kept_prune:
    engine: mysql
    database: shop
    login_user: shop_migrate
    login_password: "{{ vault_shop_migrate_password }}"
    root: /var/backups/holdfast
    app: shop
    keep_for: 3d
"""

RETURN = r"""
removed:
  description: The names of the databases that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [shop__before_20261123150735]
kept:
  description: The names of those that stay, oldest first.
  returned: success
  type: list
  elements: str
"""

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.backup.restore import prune_kept
from ..module_utils.holdfast.backup.retention import Duration
from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.options import LOGIN_OPTIONS, engine_from


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    limit = Duration.parse(params["keep_for"]).before(datetime.now(timezone.utc))
    engine = engine_from(params)
    before = engine.kept()
    removed = prune_kept(engine, Path(params["root"]), params["app"], limit, remove=not module.check_mode)
    result = {"changed": bool(removed), "removed": removed, "kept": [name for name in before if name not in removed]}
    if module._diff:
        shown = {"before": before, "after": result["kept"]}
        result["diff"] = {key: "".join(f"{name}\n" for name in names) for key, names in shown.items()}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_OPTIONS,
            "root": {"type": "path", "required": True},
            "app": {"type": "str", "required": True},
            "keep_for": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library))
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
