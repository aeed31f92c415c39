#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notify
short_description: Tell people when something changes for the worse, or is well again
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Sends a message by Apprise (mail, Slack, Discord, Telegram, webhooks and a hundred more, each by a URL) when the
    status of a subject is not what people were told last, and again after O(remind_every) while it stays bad.
  - A service that cannot be reached never fails the task; it is warned of, and returned. A message that none of them
    took is tried again by the next run.
attributes:
  check_mode:
    support: full
    description: Says whether a message would be sent.
  diff_mode:
    support: none
    description: Nothing is changed but the note of what was told.
  platform:
    support: full
    platforms: linux
    description: As the modules it tells of.
options:
  urls:
    description: The services, each as a URL of Apprise; see U(https://github.com/caronc/apprise/wiki).
    type: list
    elements: str
    required: true
  subject:
    description: What the message is about, the same each time, such as V(The backup of shop).
    type: str
    required: true
  status:
    description: How it stands; V(missed) for what should have happened and did not.
    type: str
    required: true
    choices: [ok, failed, missed]
  message:
    description: What happened, in a few sentences, and what to do now.
    type: str
    required: true
  state_dir:
    description: The folder that holds the note of what was told.
    type: path
    required: true
  remind_every:
    description: How soon to tell again what stays bad, written like V(24h) (s, m, h, d).
    type: str
    default: 24h
requirements:
  - apprise
"""

EXAMPLES = r"""
- name: Say that the backup failed
  holdfast.deploy.notify:
    urls:
      - "{{ vault_slack_url }}"
      - mailtos://{{ vault_mail_user }}:{{ vault_mail_password }}@mail.example.com?to=ops@example.com
    subject: The backup of shop
    status: failed
    message: "{{ ansible_failed_result.msg }}"
    state_dir: /var/lib/holdfast/notify
"""

RETURN = r"""
kind:
  description: >-
    The kind of message: V(success), V(recovery), V(failed), V(missed), V(reminder of failed) or V(reminder of missed);
    null when there was no reason for one.
  returned: success
  type: str
sent:
  description: How many services took it.
  returned: success
  type: int
problems:
  description: A sentence for each service that did not.
  returned: success
  type: list
  elements: str
"""

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.notify import STATUSES, Outcome, preview, tell
from ..module_utils.holdfast.units import parse_span


def run(module: AnsibleModule) -> Outcome:
    params = module.params
    folder, remind_every = Path(params["state_dir"]), parse_span("remind_every", params["remind_every"])
    if module.check_mode:
        return Outcome(preview(folder, params["subject"], params["status"], datetime.now(timezone.utc), remind_every))
    return tell(params["urls"], folder, params["subject"], params["status"], params["message"], remind_every)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "urls": {"type": "list", "elements": "str", "required": True, "no_log": True},
            "subject": {"type": "str", "required": True},
            "status": {"type": "str", "required": True, "choices": list(STATUSES)},
            "message": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "remind_every": {"type": "str", "default": "24h"},
        },
        supports_check_mode=True,
    )
    try:
        done = run(module)
    except MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library))
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    for problem in done.problems:
        module.warn(problem)
    module.exit_json(changed=bool(done.kind), kind=done.kind, sent=done.sent, problems=list(done.problems))


if __name__ == "__main__":
    main()
