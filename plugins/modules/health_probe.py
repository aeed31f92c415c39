#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_probe
short_description: Ask an application and what it needs whether they are well
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Runs health checks side by side on the target, if wanted until they were green several times in a row.
  - A check's time limit holds whatever the other side does.
attributes:
  check_mode:
    support: full
    description: The checks only read, but for those of type C(command), which are left out.
  diff_mode:
    support: none
    description: It changes nothing.
  platform:
    support: full
    platforms: posix
    description: Any system with Python.
options:
  checks:
    description:
      - The checks. Each is a dictionary with C(type), and if wanted C(name), C(timeout) (seconds, 5) and C(critical)
        (true; a check that is not only warns).
      - 'Type C(http): C(url), C(method) (GET), C(headers), C(status) (a list, 200), C(body_contains), C(body_regex),
        C(json) (dotted paths and what is expected there), C(follow_redirects) (false), C(validate_certs) (true),
        C(login_user), C(login_password), C(bypass_path) (a path asked first, whose cookies let through maintenance).'
      - 'Type C(tcp): C(host) (localhost), C(port).'
      - 'Type C(command): C(command) (a list, or a text split without a shell), C(chdir), C(exit_status) (a list, 0),
        C(output_contains).'
      - 'Type C(database): C(engine) (sqlite, mysql or postgresql), C(database), C(login_host), C(login_port),
        C(login_user), C(login_password), C(login_unix_socket), C(query) (SELECT 1), C(expect) (its first value).'
    type: list
    elements: dict
    required: true
  successes:
    description: How many rounds in a row must be without a critical failure.
    type: int
    default: 1
  timeout:
    description: Seconds that the checks get to become green; 0 allows no red round.
    type: float
    default: 0
  interval:
    description: Seconds between two rounds.
    type: float
    default: 1
  required:
    description: Whether the task fails when the checks do not become green.
    type: bool
    default: true
requirements:
  - PyMySQL or psycopg 3 for checks of type C(database)
"""

EXAMPLES = r"""
- name: Wait until the shop is well
  holdfast.deploy.health_probe:
    successes: 3
    timeout: 60
    checks:
      - name: app
        type: http
        url: http://127.0.0.1/health
        json:
          status: ok
      - name: redis
        type: tcp
        port: 6379
        critical: false
"""

RETURN = r"""
status:
  description: The worst of the results, C(pass), C(warn) or C(fail).
  returned: always
  type: str
results:
  description: The last round's results in the order of the checks.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The check.
      type: str
    type:
      description: Its type.
      type: str
    status:
      description: What came of it.
      type: str
    output:
      description: What was expected and what was seen.
      type: str
    latency_ms:
      description: How long it took.
      type: float
    time:
      description: When it ended, UTC.
      type: str
    critical:
      description: Whether it can fail the whole.
      type: bool
rounds:
  description: How many rounds there were.
  returned: always
  type: int
elapsed:
  description: How many seconds they took.
  returned: always
  type: float
health:
  description: The results in the form of application/health+json.
  returned: always
  type: dict
prometheus:
  description: The results as Prometheus reads them.
  returned: always
  type: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.errors import HoldfastError
from ..module_utils.holdfast.probe.checks import FAIL, Check, parse
from ..module_utils.holdfast.probe.run import Outcome, as_health_json, as_prometheus, run_until_green


def hide_secrets(module: AnsibleModule) -> None:
    """Have Ansible mask what checks carry of passwords, in results and in the invocation."""
    for entry in module.params["checks"]:
        secrets = [entry.get("login_password")]
        headers = entry.get("headers")
        if isinstance(headers, dict):
            secrets += [value for name, value in headers.items() if name.lower() not in ("host", "accept")]
        module.no_log_values.update(str(secret) for secret in secrets if secret)


def outcome_of(module: AnsibleModule, checks: list[Check]) -> Outcome:
    params = module.params
    return run_until_green(
        checks, successes=params["successes"], timeout=params["timeout"], interval=params["interval"]
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True},
            "successes": {"type": "int", "default": 1},
            "timeout": {"type": "float", "default": 0},
            "interval": {"type": "float", "default": 1},
            "required": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    hide_secrets(module)
    try:
        checks = parse(module.params["checks"])
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        checks = [check for check in checks if check.type != "command"]
        if not checks:
            module.exit_json(changed=False, status="pass", results=[], rounds=0, elapsed=0.0, health={}, prometheus="")
    outcome = outcome_of(module, checks)
    result = {
        "changed": False,
        "status": outcome.status,
        "results": [asdict(one) for one in outcome.results],
        "rounds": outcome.rounds,
        "elapsed": outcome.elapsed,
        "health": as_health_json(outcome),
        "prometheus": as_prometheus(outcome),
    }
    if outcome.status == FAIL and module.params["required"]:
        module.fail_json(
            msg=f"Not healthy after {outcome.rounds} rounds in {outcome.elapsed:.0f} s: {outcome.failures()}", **result
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
