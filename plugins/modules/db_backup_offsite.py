#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_backup_offsite
short_description: Keep copies of backup sets in a bucket of Backblaze B2
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Stores backup sets off-site, fetches them back, lists them, and removes old ones.
  - Large files go in parts, side by side. What an earlier run has sent is not sent again.
  - A set counts as off-site only when a listing from B2 proves every file of it, by size, SHA-256 and SHA-1. Its
    manifest is sent last.
  - What is fetched is compared with the manifest's SHA-256 before it gets its name.
requirements:
  - b2sdk >= 2.5
extends_documentation_fragment:
  - holdfast.deploy.offsite
  - holdfast.deploy.retention
attributes:
  check_mode:
    support: full
    description: Asks B2 what is there, and says what would be sent, fetched or removed.
  diff_mode:
    support: full
    description: With O(state=pruned) it shows the copies before and after, else the files that are missing.
  platform:
    support: full
    platforms: linux
    description: As the modules that make the sets.
options:
  state:
    description:
      - V(present) stores a set, V(fetched) brings one to this machine, V(listed) only asks what is there.
      - V(pruned) removes the copies that the C(keep) options do not keep, replaced versions, marks that hide files, and
        uploads that nobody went on with for a day. Never removed are the newest copy, the newest of those that were
        verified at the highest level, the sets that O(deploy_path) relies on, and what is locked.
    type: str
    choices: [present, fetched, listed, pruned]
    default: present
  root:
    description: The folder on this machine that holds the backup sets.
    type: path
  app:
    description: The application's name, a folder in O(root) and in the bucket.
    type: str
    required: true
  backup:
    description: The id of a set, or V(latest) for the newest one that is not a safety backup.
    type: str
    default: latest
  engine:
    description: Let O(backup=latest) pass over sets of other engines.
    type: str
    choices: [mysql, postgresql, sqlite]
  database:
    description: Let O(backup=latest) pass over sets of other databases.
    type: str
  deploy_path:
    description: The folder the application is deployed to; with O(state=pruned), what it relies on is kept.
    type: path
  b2_bucket:
    description: The bucket's name.
    type: str
    required: true
  encryption:
    description: Let B2 encrypt the files with keys that it manages (SSE-B2).
    type: bool
    default: true
  retention_days:
    description: Lock the files for so many days from the making of the set. The bucket must have Object Lock enabled.
    type: int
  retention_mode:
    description: Whether a key with the right to do so may shorten the lock (V(governance)), or nobody (V(compliance)).
    type: str
    choices: [governance, compliance]
    default: governance
  legal_hold:
    description: Lock the files until somebody takes the legal hold away.
    type: bool
    default: false
  bandwidth:
    description: The most that uploads may take, in bytes per second, written like V(10M).
    type: str
seealso:
  - module: holdfast.deploy.db_backup
  - module: holdfast.deploy.db_restore
  - module: holdfast.deploy.db_backup_prune
"""

EXAMPLES = r"""
- name: Copy the newest set off-site, locked for a month
  holdfast.deploy.db_backup_offsite:
    root: /var/backups/holdfast
    app: shop
    b2_bucket: acme-backups
    b2_key_id: "{{ vault_b2_key_id }}"
    b2_application_key: "{{ vault_b2_application_key }}"
    retention_days: 30

- name: Bring the newest copy to this machine
  holdfast.deploy.db_backup_offsite:
    state: fetched
    root: /var/backups/holdfast
    app: shop
    b2_bucket: acme-backups
    b2_key_id: "{{ vault_b2_key_id }}"
    b2_application_key: "{{ vault_b2_application_key }}"
  register: fetched

- name: Keep a month of daily copies, then a year of monthly ones
  holdfast.deploy.db_backup_offsite:
    state: pruned
    app: shop
    b2_bucket: acme-backups
    b2_key_id: "{{ vault_b2_key_id }}"
    b2_application_key: "{{ vault_b2_application_key }}"
    keep_daily: 31
    keep_monthly: 12
"""

RETURN = r"""
backup_set:
  description: The set, as M(holdfast.deploy.db_backup) returns it.
  returned: with O(state=present), and with O(state=fetched) unless check mode has to leave it away
  type: dict
backup:
  description: The id of the set.
  returned: with O(state=present) and O(state=fetched)
  type: str
files:
  description: The files that were sent, or in check mode would be.
  returned: with O(state=present)
  type: list
  elements: str
copies:
  description: What the bucket holds, oldest first.
  returned: with O(state=listed)
  type: list
  elements: dict
  sample:
    - id: 20261123T150735.123456Z-nightly-64a6ef
      complete: true
      engine: mysql
      database: shop
      label: nightly
      verified: archive
      size: 123456
      uploaded: "2026-11-23T15:08:02Z"
      locked: false
removed:
  description: The ids of the copies that were removed, or in check mode would be.
  returned: with O(state=pruned)
  type: list
  elements: str
kept:
  description: Why each of the others is kept, by id.
  returned: with O(state=pruned)
  type: dict
freed:
  description: Bytes that this frees.
  returned: with O(state=pruned)
  type: int
cleaned:
  description: How many replaced versions, marks that hide files and abandoned uploads were removed.
  returned: with O(state=pruned)
  type: int
seconds:
  description: How long it took.
  returned: success
  type: float
"""

import time
from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.backup.prune import judge, named_by
from ..module_utils.holdfast.backup.sets import find_set
from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.offsite.b2 import READ, REMOVE, WRITE
from ..module_utils.holdfast.offsite.copies import Copies, remnants
from ..module_utils.holdfast.options import OFFSITE_OPTIONS, RETENTION_OPTIONS, UPLOAD_OPTIONS, copies_from, policy_from

NEEDED = {"present": WRITE, "fetched": READ, "listed": READ, "pruned": REMOVE}


def open_copies(params: dict[str, object]) -> Copies:
    return copies_from(params, NEEDED[params["state"]])


def store(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    backup = find_set(Path(params["root"]), params["app"], params["backup"], params["engine"], params["database"])
    copies = open_copies(params)
    files = copies.missing(backup) if module.check_mode else copies.upload(backup)
    after = find_set(Path(params["root"]), params["app"], backup.id, None)
    names = "".join(f"{copies.folder}{backup.id}/{name}\n" for name in files)
    return {
        "changed": bool(files),
        "backup": backup.id,
        "backup_set": after.summary(),
        "files": files,
        "diff": {"before": "", "after": names},
    }


def fetch(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    copies = open_copies(params)
    copy = copies.find(params["backup"], params["engine"], params["database"])
    root = Path(params["root"])
    result = {"backup": copy.id, "diff": {"before": "", "after": "".join(f"{copy.id}/{name}\n" for name in copy.files)}}
    if module.check_mode:
        there = copies.local(copy, root)
        return {**result, "changed": there is None, **({"backup_set": there.summary()} if there else {})}
    backup, changed = copies.fetch(copy, root)
    return {**result, "changed": changed, "backup_set": backup.summary()}


def prune(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    policy = policy_from(params)
    named = named_by(Path(params["deploy_path"])) if params["deploy_path"] else {}
    copies = open_copies(params)
    now = datetime.now(timezone.utc)
    every = copies.listed()
    complete = [one for one in every if one.complete]
    kept = judge(complete, policy, named, now)
    removed = []
    for copy in [one for one in complete if not kept[one.id]]:
        if not copy.locked and (module.check_mode or copies.remove(copy)):
            removed.append(copy)
            del kept[copy.id]
        else:
            kept[copy.id] = ["locked"]
    gone = {one.id for one in removed}
    useless = remnants([one for one in every if one.id not in gone], now)
    cleaned = len(useless) if module.check_mode else copies.clean(useless)
    return {
        "changed": bool(removed or cleaned),
        "removed": [one.id for one in removed],
        "kept": kept,
        "freed": sum(one.size for one in removed),
        "cleaned": cleaned,
        "diff": {
            "before": "".join(f"{one.id}\n" for one in every),
            "after": "".join(f"{one.id}\n" for one in every if one.id not in gone),
        },
    }


def run(module: AnsibleModule) -> dict[str, object]:
    started = time.monotonic()
    if module.params["state"] == "listed":
        result = {"changed": False, "copies": [one.summary() for one in open_copies(module.params).listed()]}
    else:
        result = {"present": store, "fetched": fetch, "pruned": prune}[module.params["state"]](module)
    if not module._diff or not result["changed"]:
        result.pop("diff", None)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **RETENTION_OPTIONS,
            **OFFSITE_OPTIONS,
            "b2_bucket": {"type": "str", "required": True},
            **UPLOAD_OPTIONS,
            "state": {"type": "str", "default": "present", "choices": list(NEEDED)},
            "root": {"type": "path"},
            "app": {"type": "str", "required": True},
            "backup": {"type": "str", "default": "latest"},
            "engine": {"type": "str", "choices": ["mysql", "postgresql", "sqlite"]},
            "database": {"type": "str"},
            "deploy_path": {"type": "path"},
        },
        required_if=[
            ("state", "present", ["root"]),
            ("state", "fetched", ["root"]),
        ],
        required_together=[["b2_bucket", "b2_key_id", "b2_application_key"]],
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
