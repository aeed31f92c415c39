#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_journal
short_description: Lock an application and write down what a deploy does
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Keeps the journal of a deploy in C(.holdfast) below the application's folder. Each step is written down, durably,
    before it is done, so that it can be undone from what is on disk alone.
  - While a journal is open, no other can be opened. One whose owner is dead is taken over, and what it left is returned
    to be undone.
  - The owner is the C(ansible-playbook) that runs the task. On the same controller it is known at once whether it
    lives; of another one, it is believed dead when it was not heard of for O(stale_after).
attributes:
  check_mode:
    support: full
    description: Says what would be, and fails when the lock is held.
  diff_mode:
    support: none
    description: The journal tells of a deploy, not of the application's state.
  platform:
    support: full
    platforms: posix
    description: Any system with flock(2).
options:
  path:
    description: The application's folder.
    type: path
    required: true
  state:
    description:
      - V(opened) takes the lock; V(noted) writes down a step; V(closed) ends the journal and frees the lock; V(query)
        only reads.
    type: str
    choices: [opened, noted, closed, query]
    required: true
  app:
    description: The application's name, for messages.
    type: str
  id:
    description: The journal's id, as V(opened) returned it.
    type: str
  release:
    description: The release that the deploy is about.
    type: str
  step:
    description: What is about to be done. V(recovered) says that what was taken over is undone now.
    type: str
  data:
    description: What an undo needs to know; added to what was noted before.
    type: dict
    default: {}
  outcome:
    description: How it ended.
    type: str
    choices: [committed, rolled_back, undone]
  message:
    description: What failed, for the record.
    type: str
    default: ""
  wait:
    description: Seconds to wait for another owner to end.
    type: int
    default: 0
  stale_after:
    description: Seconds of silence after which an owner counts as dead.
    type: int
    default: 1800
  owner:
    description: Who opens the journal. Filled in on the controller.
    type: dict
    default: {}
  takeover:
    description: The id of an open journal whose owner is known to be dead. Filled in on the controller.
    type: str
"""

EXAMPLES = r"""
- name: Take the lock
  holdfast.deploy.deploy_journal:
    path: /srv/shop
    app: shop
    state: opened
  register: journal

- name: Note that the database is about to change
  holdfast.deploy.deploy_journal:
    path: /srv/shop
    state: noted
    id: "{{ journal.id }}"
    step: migrate
    data:
      restore_point: 20261123T150735.123456Z-deploy-64a6ef

- name: Free the lock
  holdfast.deploy.deploy_journal:
    path: /srv/shop
    state: closed
    id: "{{ journal.id }}"
    outcome: committed
"""

RETURN = r"""
id:
  description: The journal's id; null when there is none.
  returned: success
  type: str
journal:
  description: The journal as it stands; null when there is none.
  returned: success
  type: dict
unfinished:
  description: The journal that was taken over and must be undone; null when there is none.
  returned: success
  type: dict
current:
  description: The release that is live; null when there is none.
  returned: success
  type: str
last:
  description: The journal that was closed last; null when there is none.
  returned: when O(state=query)
  type: dict
locked_by:
  description: The journal that holds the lock.
  returned: when it is held by another
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast import journal as journals
from ..module_utils.holdfast.errors import HoldfastError, Locked


def result_of(path: Path, journal: journals.Journal | None, changed: bool) -> dict[str, object]:
    return {
        "changed": changed,
        "id": journal["id"] if journal else None,
        "journal": journal,
        "unfinished": journal.get("unfinished") if journal else None,
        "current": journals.current_release(path),
    }


def opened(module: AnsibleModule, path: Path) -> dict[str, object]:
    params = module.params
    if module.check_mode:
        held = journals.check_free(path, stale_after=params["stale_after"], takeover=params["takeover"])
        return {**result_of(path, None, True), "unfinished": held}
    journal = journals.open_journal(
        path,
        params["app"],
        params["owner"],
        stale_after=params["stale_after"],
        wait=params["wait"],
        takeover=params["takeover"],
    )
    if journal["unfinished"]:
        module.warn(f"The deploy {journal['unfinished']['id']} was left unfinished by a dead owner and is taken over.")
    return result_of(path, journal, True)


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    path = Path(params["path"])
    if params["state"] == "opened":
        return opened(module, path)
    if params["state"] == "query":
        return {**result_of(path, journals.read(path), False), "last": journals.last_closed(path)}
    if module.check_mode:
        return result_of(path, journals.read(path), True)
    if params["state"] == "noted":
        journal = journals.note(path, params["id"], params["step"], release=params["release"], data=params["data"])
        return result_of(path, journal, True)
    return result_of(path, None, journals.close(path, params["id"], params["outcome"], params["message"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "required": True, "choices": ["opened", "noted", "closed", "query"]},
            "app": {"type": "str"},
            "id": {"type": "str"},
            "release": {"type": "str"},
            "step": {"type": "str"},
            "data": {"type": "dict", "default": {}},
            "outcome": {"type": "str", "choices": ["committed", "rolled_back", "undone"]},
            "message": {"type": "str", "default": ""},
            "wait": {"type": "int", "default": 0},
            "stale_after": {"type": "int", "default": 1800},
            "owner": {"type": "dict", "default": {}},
            "takeover": {"type": "str"},
        },
        # In check mode no journal is opened, so there is no id to give.
        required_if=[("state", "opened", ["app"]), ("state", "noted", ["step"]), ("state", "closed", ["outcome"])],
        supports_check_mode=True,
    )
    if module.params["state"] in ("noted", "closed") and not module.params["id"] and not module.check_mode:
        module.fail_json(msg=f"The option 'id' is required when state is {module.params['state']}.")
    try:
        result = run(module)
    except Locked as error:
        module.fail_json(msg=str(error), locked_by=journals.read(Path(module.params["path"])))
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
