#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Manage the releases of an application
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Keeps C(releases), C(shared) and the link C(current) in an application's folder, and a registry of what was made,
    which release replaced which, and the restore point taken then.
  - Ids sort by time and never collide. The link is switched by one rename, the first time too.
attributes:
  check_mode:
    support: full
    description: Says what would be; V(started) returns an id that will not be the real one.
  diff_mode:
    support: partial
    description: Shows the live release before and after for V(active) and V(inactive).
  platform:
    support: full
    platforms: posix
    description: Any system with symbolic links.
options:
  path:
    description: The application's folder.
    type: path
    required: true
  state:
    description:
      - V(started) makes the folder of a new release, marked by a file C(DEPLOY_UNFINISHED).
      - V(linked) records its revision and links what releases share.
      - V(active) makes it the live one.
      - V(inactive) takes the link C(current) away if it points there.
      - V(absent) removes it; the live one is refused.
      - V(pruned) removes old ones by the order they were made in.
      - V(rollback_target) tells where a rollback goes. V(query) tells all there is.
    type: str
    choices: [started, linked, active, inactive, absent, pruned, rollback_target, query]
    default: query
  release:
    description: The release's id.
    type: str
  source:
    description: Where its code comes from, for the record.
    type: str
    default: ""
  revision:
    description: The exact revision of its code, for the record and the file C(REVISION).
    type: str
    default: ""
  shared_dirs:
    description: Folders, relative to the release, that outlive it.
    type: list
    elements: str
    default: []
  shared_files:
    description: Files, relative to the release, that outlive it. Each must be in C(shared) or in the release.
    type: list
    elements: str
    default: []
  restore_point:
    description: The backup set that holds the database as the release before left it.
    type: str
  keep_releases:
    description: How many of those that were ever live V(pruned) keeps, besides the live one and the one before it.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Begin a release
  holdfast.deploy.release:
    path: /srv/shop
    state: started
  register: begun

- name: Link what outlives it
  holdfast.deploy.release:
    path: /srv/shop
    state: linked
    release: "{{ begun.release.id }}"
    revision: 4f2d1c0
    shared_dirs: [storage]
    shared_files: [.env]

- name: Take it live
  holdfast.deploy.release:
    path: /srv/shop
    state: active
    release: "{{ begun.release.id }}"
"""

RETURN = r"""
release:
  description: The release that was begun.
  returned: when O(state=started)
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    path:
      description: Its folder.
      type: str
current:
  description: The id of the live release; null when there is none.
  returned: success
  type: str
previous:
  description: The id of the release that the live one replaced; null when there is none.
  returned: success
  type: str
releases:
  description: All recorded releases, oldest first.
  returned: when O(state=query)
  type: list
  elements: dict
removed:
  description: The ids that were removed.
  returned: when O(state=pruned)
  type: list
  elements: str
unknown:
  description: Folders among the releases that nobody recorded.
  returned: when O(state=pruned) or O(state=query)
  type: list
  elements: str
target:
  description: Where a rollback goes, with C(id), C(path) and C(restore_point).
  returned: when O(state=rollback_target)
  type: dict
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.errors import HoldfastError
from ..module_utils.holdfast.release import Releases

Result = dict


def started(releases: Releases, module: AnsibleModule) -> Result:
    name = releases.new_id() if module.check_mode else releases.start(module.params["source"]).id
    return {"changed": True, "release": {"id": name, "path": str(releases.folder_of(name))}}


def linked(releases: Releases, module: AnsibleModule) -> Result:
    params = module.params
    if module.check_mode:
        return {"changed": True}
    names = (params["shared_dirs"], params["shared_files"])
    return {"changed": releases.link(params["release"], params["revision"], *names)}


def active(releases: Releases, module: AnsibleModule) -> Result:
    name, before = module.params["release"], releases.current
    changed = before != name if module.check_mode else releases.activate(name, module.params["restore_point"])
    return {"changed": changed, "diff": {"before": f"current: {before}\n", "after": f"current: {name}\n"}}


def inactive(releases: Releases, module: AnsibleModule) -> Result:
    name, before = module.params["release"], releases.current
    changed = before == name if module.check_mode else releases.deactivate(name)
    after = None if changed else before
    return {"changed": changed, "diff": {"before": f"current: {before}\n", "after": f"current: {after}\n"}}


def absent(releases: Releases, module: AnsibleModule) -> Result:
    name = module.params["release"]
    if module.check_mode:
        return {"changed": releases.folder_of(name).exists()}
    return {"changed": releases.remove(name)}


def pruned(releases: Releases, module: AnsibleModule) -> Result:
    keep = module.params["keep_releases"]
    if keep < 1:
        module.fail_json(msg=f"keep_releases is {keep}; at least 1 release must be kept.")
    removed = releases.to_prune(keep) if module.check_mode else releases.prune(keep)
    return {"changed": bool(removed), "removed": removed, "unknown": releases.unknown()}


def rollback_target(releases: Releases, module: AnsibleModule) -> Result:
    return {"changed": False, "target": asdict(releases.rollback_target(module.params["release"]))}


def query(releases: Releases, module: AnsibleModule) -> Result:
    known = [asdict(release) for release in releases.registry().releases]
    return {"changed": False, "releases": known, "unknown": releases.unknown()}


STATES = {
    "started": started,
    "linked": linked,
    "active": active,
    "inactive": inactive,
    "absent": absent,
    "pruned": pruned,
    "rollback_target": rollback_target,
    "query": query,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "default": "query", "choices": list(STATES)},
            "release": {"type": "str"},
            "source": {"type": "str", "default": ""},
            "revision": {"type": "str", "default": ""},
            "shared_dirs": {"type": "list", "elements": "str", "default": []},
            "shared_files": {"type": "list", "elements": "str", "default": []},
            "restore_point": {"type": "str"},
            "keep_releases": {"type": "int", "default": 5},
        },
        required_if=[("state", state, ["release"]) for state in ("linked", "active", "inactive", "absent")],
        supports_check_mode=True,
    )
    releases = Releases(Path(module.params["path"]))
    try:
        result = STATES[module.params["state"]](releases, module)
        result.update(current=releases.current, previous=releases.previous())
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['path']}: {error.strerror}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
