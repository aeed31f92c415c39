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
  - A check's time limit is for all of it, and holds whatever the other side does.
  - Everything is known to be written right before anything is asked. An unknown type or option is refused with the
    nearest right name.
  - Passwords, headers that may carry one, and the bypass path are masked in what is returned, shown and logged.
attributes:
  check_mode:
    support: full
    description:
      - Checks of type C(command) may change something, so they are not run; they pass, and their output says so.
      - All others only read and are run as ever, but a method of HTTP other than C(GET) is sent too.
  diff_mode:
    support: none
    description: Nothing is ever changed.
  platform:
    support: full
    platforms: posix
    description: Any POSIX system with Python 3.9 or newer.
options:
  checks:
    description:
      - The checks, at least one. Each is a dictionary with its type's options and these.
      - C(name), unique among the checks. Without it, the type and what it looks at.
      - C(type), one of V(http), V(tcp), V(command), V(database), V(redis), V(queue). Required.
      - C(timeout), the seconds that all of the check may take. 5 by default.
      - C(critical). Of an advisory check, one where this is V(false), a failure is a warning. V(true) by default.
      - C(warn), C(fail), limits as a dictionary of measures, such as C(latency_ms), which every type measures. The
        check warns, or fails, when a measure is at its limit or worse. A limit of V(null) takes a default one away.
      - C(ttl), the seconds for which an answer is kept in O(cache_dir) and served again, up to a tenth more by chance.
        V(0) by default, which is never.
      - C(failure_ttl), the same for a failure, V(30) by default; twice as long after each further one, up to C(ttl).
      - C(stale_while_revalidate), for how many more seconds an old answer is served while one caller asks anew, C(ttl)
        by default.
      - C(stale_if_error), for how many more seconds an old answer is served when there is no other, V(3600) by default.
      - Options of V(http) follow.
      - C(url), with V(http://) or V(https://). Required. No proxy is used.
      - C(method), V(GET) by default. No body is sent.
      - C(headers), a dictionary. C(Host) is also the name that TLS asks for and verifies, so that a virtual host can be
        asked at the loopback.
      - C(status), a list of the statuses that are right, V([200]) by default.
      - C(body_contains), a text; C(body_regex), a regular expression of Python's that is searched for. Of the body the
        first MiB is read.
      - C(json), a dictionary of dotted paths (list indexes are numbers) and the values expected there. Texts, numbers
        and truth values are compared as texts.
      - C(follow_redirects), V(false) by default, so that a redirect to a login or an error page is not taken for
        health. Up to 10 are followed; headers, login and cookies stay with the server of C(url).
      - C(validate_certs), V(true) by default.
      - C(login_user), C(login_password), for basic authentication.
      - C(bypass_path), a path of the same server that is asked first, and whose cookies are sent with the check. With
        Laravel, C(artisan down --secret=X) lets through maintenance who has been at V(/X).
      - Options of V(tcp) follow.
      - C(host), V(localhost) by default; C(port), required.
      - Options of V(command) follow.
      - C(command), a list of words, or a text that is split into words. Required. There is no shell. When its time is
        over, the command is killed with its process group.
      - C(chdir), the folder to run it in.
      - C(exit_status), a list of the statuses that are right, V([0]) by default.
      - C(output_contains), a text in what it prints, errors included. Of the output the first MiB is read.
      - Options of V(database) follow.
      - C(engine), one of V(sqlite), V(mysql), V(postgresql). Required.
      - C(database), its name, or its file for V(sqlite). Required.
      - C(login_host), V(localhost) by default; C(login_port), C(login_user), C(login_password).
      - C(login_unix_socket), the socket, or for V(postgresql) its folder.
      - C(query), V(SELECT 1) by default. It is put in a transaction that cannot write.
      - C(expect), what the first value of its first row must be, compared as text.
      - Options of V(redis) follow. It fails when the server is loading its data, could not save them, or is a replica
        whose link is down.
      - C(login_host), V(localhost) by default; C(login_port), V(6379) by default; C(login_unix_socket); C(login_user),
        C(login_password); C(database), V(0) by default; C(tls), V(false) by default, with the system's certificates.
      - It measures C(memory_percent) of maxmemory and C(connections_percent) of maxclients, which warn at 80 and fail
        at 95; C(rejected_new), connections refused since the last look, which warns at 1; C(evicted_new), keys; and of
        a replica C(replication_lag_s), the seconds since it last heard of its master, which warns at 30.
      - Options of V(queue) follow. It looks at queues of Laravel's and at the workers on the target. Its verdicts are
        V(no_workers), when there is work and no worker; V(stalled), when there is work, and all workers are stopped or
        none takes any; V(failing), when jobs fail or kill their workers; V(backlog), at a limit of C(oldest_s),
        C(pending) or C(drain_s); and the warnings V(maintenance), when workers rest until C(artisan up), and
        V(old_code), when workers run a release that is not the current one.
        A worker in the middle of a long job is not V(stalled) until C(retry_after).
      - C(backend), V(database) by default, or V(redis), with or without Horizon.
      - C(queue), a list of their names, V([default]) by default.
      - C(engine), C(database), C(login_host), C(login_port), C(login_user), C(login_password), C(login_unix_socket), as
        of V(database), or without C(engine), and with C(tls), as of V(redis).
      - C(jobs_table), V(jobs) by default; C(failed_table), V(failed_jobs) by default, or an empty text to leave it out.
      - C(failed_engine), C(failed_database) and C(failed_login_host) to C(failed_login_unix_socket), where the failed
        jobs are when C(backend) is V(redis). Without them they are not looked at.
      - C(prefix), the application's REDIS_PREFIX; or C(app_name), its APP_NAME, for Laravel's default ones. Both the
        one until Laravel 12 and the one from 13 on are looked at. None by default.
      - C(horizon_prefix), HORIZON_PREFIX, of Horizon's counters of jobs that went well. Its default by C(app_name), or
        V(horizon:).
      - C(retry_after), the connection's, in seconds, V(90) by default.
      - C(stalled_after), the seconds for which work may wait while no worker does any, V(60) by default.
      - C(workers_here), whether the target has workers, V(true) by default. With V(false) processes are not looked at;
        that is for other hosts, and for workers that cron starts and that end when there is no work.
      - C(match), a regular expression for the workers' command line, C(artisan queue:work) or C(horizon:work) by
        default. C(path), the application's folder, which has C(current) in it, to leave out workers of others. Their
        C(--queue) tells which queues they are for. To see what release workers of other users run takes root.
      - Of all the queues together it measures C(size), C(pending), C(delayed), C(reserved), C(expired), which are
        reserved for longer than C(retry_after), C(overdue), which are due for C(stalled_after), C(failed),
        C(failed_new) since the last look, which warns at 1 and fails at 10, C(oldest_s), for how long the first of the
        pending ones has been due, which warns at 300, C(rate_per_min), how many were done a minute since the last look,
        at least, counted by Horizon, or by their ids in a table, or by how much shorter the queues are, and C(drain_s),
        how long the pending ones take at that rate; of the workers C(workers), their number, C(worker_rss_mb), the
        memory of the largest with all that it started, and C(old_code), how many run an old release. Of
        C(rate_per_min) and C(workers) lower is worse.
    type: list
    elements: dict
    required: true
  successes:
    description: How many rounds in a row must be without a critical failure.
    type: int
    default: 1
  timeout:
    description:
      - Seconds after which the first round with a critical failure is the last. Rounds that are green by then may go on
        until they are as many as wanted.
      - With V(0), every round must be without one.
    type: float
    default: 0
  interval:
    description: Seconds between two rounds.
    type: float
    default: 1
  cache_dir:
    description:
      - The folder that keeps answers with a C(ttl), and what a check noted for its next look. Whoever is to share them
        has to run as the same user.
      - V(/var/cache/holdfast/probes) by default, or V(~/.cache/holdfast/probes) for users other than root.
    type: path
  required:
    description: Whether the task fails when it is not reached. With V(false) it only reports.
    type: bool
    default: true
requirements:
  - PyMySQL, for checks of MySQL and MariaDB
  - psycopg 3, for checks of PostgreSQL
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
        headers:
          Host: shop.example.com
        json:
          status: ok
          database.connected: true
      - name: orders
        type: database
        engine: mysql
        database: shop
        login_user: shop
        login_password: "{{ shop_db_password }}"
        query: SELECT COUNT(*) > 0 FROM orders
        expect: 1
      - name: workers
        type: command
        command: systemctl is-active shop-worker
      - name: redis
        type: redis
        login_password: "{{ shop_redis_password }}"
        critical: false
      - name: mails
        type: queue
        backend: redis
        login_password: "{{ shop_redis_password }}"
        app_name: Shop
        queue: [mails]
        path: /srv/shop
        warn:
          oldest_s: 120
          worker_rss_mb: 300

- name: Look, and go on whatever is seen
  holdfast.deploy.health_probe:
    required: false
    checks:
      - type: http
        url: https://shop.example.com/up
        timeout: 2
  register: seen
"""

RETURN = r"""
status:
  description:
    - V(fail) when O(successes) was not reached in time; otherwise V(warn) when an advisory check failed, or V(pass).
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
      description: V(pass), V(fail), or V(warn) for the failure of an advisory check.
      type: str
    output:
      description: What was expected and what was seen.
      type: str
    latency_ms:
      description: How many milliseconds it took.
      type: float
    time:
      description: When it ended, ISO 8601 in UTC.
      type: str
    critical:
      description: Whether it can fail the whole.
      type: bool
    values:
      description: What was measured.
      type: dict
    verdict:
      description: A word for what is wrong, where the type has one, such as V(stalled) of a queue.
      type: str
    cache:
      description:
        - V(live) for an answer that is not kept, V(miss) for one that was asked for and kept, V(hit) for a kept one,
          and V(stale) for one older than its C(ttl).
      type: str
    age:
      description: How many seconds ago it was asked for.
      type: float
rounds:
  description: How many rounds there were.
  returned: always
  type: int
elapsed:
  description: How many seconds they took in all.
  returned: always
  type: float
health:
  description: The last round's results in the form of application/health+json (draft-inadarei-api-health-check-06).
  returned: always
  type: dict
prometheus:
  description:
    - The last round's results as metrics C(holdfast_probe_up) and C(holdfast_probe_duration_seconds) in the text format
      of Prometheus.
  returned: always
  type: str
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.errors import HoldfastError, InvalidInput
from ..module_utils.holdfast.probe.checks import FAIL
from ..module_utils.holdfast.probe.parse import parse, secrets_of
from ..module_utils.holdfast.probe.report import as_health_json, as_prometheus
from ..module_utils.holdfast.probe.run import Gate, Outcome, run_gate
from ..module_utils.holdfast.probe.store import Store, default_folder


class ProbeModule(AnsibleModule):
    """A module whose checks, free dictionaries to Ansible, are masked in all that it returns and logs."""

    def _log_invocation(self) -> None:
        # Called before anything is logged or can fail by our doing. Ansible would log the checks with repr(),
        # in which it does not find a secret that has a quote or a backslash: they are left out.
        self.no_log_values.update(secrets_of(self.params["checks"]))
        self.log(f"Invoked with {len(self.params['checks'])} checks")


def gate_of(module: AnsibleModule) -> Gate:
    """The gate that the options describe. Raises InvalidInput."""
    params = module.params
    if params["successes"] < 1 or params["timeout"] < 0 or params["interval"] < 0:
        raise InvalidInput("successes must be at least 1, timeout and interval at least 0.")
    return Gate(params["successes"], params["timeout"], params["interval"])


def returned(outcome: Outcome) -> dict:
    """What the module returns."""
    return {
        "changed": False,
        "status": outcome.status,
        "results": [asdict(one) for one in outcome.results],
        "rounds": outcome.rounds,
        "elapsed": outcome.elapsed,
        "health": as_health_json(outcome),
        "prometheus": as_prometheus(outcome),
    }


def main() -> None:
    module = ProbeModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True},
            "successes": {"type": "int", "default": 1},
            "timeout": {"type": "float", "default": 0},
            "interval": {"type": "float", "default": 1},
            "cache_dir": {"type": "path"},
            "required": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        store = Store(Path(module.params["cache_dir"] or default_folder()), read_only=module.check_mode)
        outcome = run_gate(parse(module.params["checks"]), gate_of(module), store, dry_run=module.check_mode)
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    for result in outcome.warnings:
        module.warn(f"{result.name}: {result.output}")
    if outcome.status == FAIL and module.params["required"]:
        module.fail_json(msg=outcome.verdict(), **returned(outcome))
    module.exit_json(**returned(outcome))


if __name__ == "__main__":
    main()
