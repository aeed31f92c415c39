#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_show
short_description: Show what health checks saw, in one line for each host and check
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Shows the results of M(holdfast.deploy.health_probe) of several hosts, green, yellow or red by their status, and
    tells which hosts are not well.
  - Colours are shown where Ansible shows any; see C(ANSIBLE_NOCOLOR) and C(ANSIBLE_FORCE_COLOR).
attributes:
  action:
    support: full
    description: It runs on the controller alone.
  check_mode:
    support: full
    description: Nothing is changed in any mode.
  diff_mode:
    support: none
    description: Nothing is changed.
  platform:
    support: full
    platforms: posix
    description: It runs on the controller alone.
options:
  results:
    description: What M(holdfast.deploy.health_probe) returned, by host. A host that was unreachable may be among them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what was seen on all hosts
  holdfast.deploy.health_show:
    results: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'seen'))) }}"
  run_once: true
"""

RETURN = r"""
lines:
  description: What was shown.
  returned: always
  type: list
  elements: str
unwell:
  description: The hosts of which a critical check failed, or that could not be asked, each with its lines that say so.
  returned: always
  type: dict
"""
