#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_package
short_description: Put Holdfast's agent on a target, as one file
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Builds the agent, C(holdfast.pyz), from this very collection and copies it to the target where it is not there yet.
  - The same collection gives the same bytes, so that a second run changes nothing.
attributes:
  action:
    support: full
    description: It is built on the controller, and copied as M(ansible.builtin.copy) does.
  check_mode:
    support: full
    description: Says whether the file would be replaced.
  diff_mode:
    support: none
    description: The file is not a text.
  platform:
    support: full
    platforms: posix
    description: It runs with Python 3.9 or newer.
options:
  dest:
    description: The file on the target; its folder must be there.
    type: path
    required: true
  settings:
    description: >-
      The configuration that it is going to have. A wrong one is refused before anything is changed, since an agent that
      runs becomes the new one at once.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Install the agent
  holdfast.deploy.agent_package:
    dest: /usr/local/lib/holdfast/holdfast.pyz
    settings:
      state_dir: /var/lib/holdfast/agent
      checks: [{name: web, type: http, url: "https://shop.example.com/up"}]
"""

RETURN = r"""
dest:
  description: The file.
  returned: success
  type: str
checksum:
  description: Its SHA-1, as M(ansible.builtin.copy) has it.
  returned: success
  type: str
"""
