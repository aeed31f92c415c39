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
      - Checks of type C(command), of a database with C(write), and of C(webhook_idempotency) with C(deliver), may
        change something, so they are not run; they pass, and their output says so.
      - All others only read and are run as ever, but a method of HTTP other than C(GET) is sent too.
  diff_mode:
    support: none
    description: Nothing is changed but the files that are written, and the row of a database's C(write).
  platform:
    support: full
    platforms: posix
    description: Any POSIX system with Python 3.9 or newer.
options:
  checks:
    description:
      - The checks, at least one. Each is a dictionary with its type's options and these.
      - C(name), unique among the checks. Without it, the type and what it looks at.
      - C(type), one of V(http), V(tcp), V(command), V(database), V(disk), V(memory), V(load), V(process),
        V(supervisor), V(systemd), V(scheduler), V(mysql), V(postgresql), V(sqlite), V(tls), V(certificate),
        V(dns), V(stripe), V(bunny), V(backup), V(webhook_idempotency), V(redis), V(queue). Required.
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
      - C(alert_after), C(clear_after), how many bad looks in a row it takes until the agent tells people, and how many
        good ones until it says that it is over. Nobody else regards them.
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
      - It measures C(certificate_days), until a certificate that was verified ends (warns at 14, fails at 3), and
        C(body_bytes), of the first MiB; of both, less is worse. A status of 429 that is not expected is a warning, and
        its C(Retry-After) is kept to, for an hour at most.
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
      - Options of V(disk) follow.
      - C(path), on the filesystem that is meant. Required.
      - Measures C(used_percent), as df does, C(inodes_percent) (each warns at 80, fails at 90), C(free_mb) (MiB, lower
        is worse).
      - V(memory) has no options, and needs Linux. Measures C(used_percent) (%, warns at 85, fails at 95),
        C(available_mb) (MiB, lower is worse), C(swap_percent) (warns at 80) where there is swap. Where a control group
        of version 2 sets this process a lower limit, each measure is the worse of the two.
      - V(load) has no options, and needs Linux. Measures C(load1), C(load5) (warns at 1.5, fails at 4), C(load15), the
        load averages per processor that can be used.
      - Options of V(process) follow. It needs Linux, and C(process) or C(match).
      - C(process), its name, of which the kernel keeps 15 bytes; C(match), a regular expression that is searched for
        in its command line; C(user), the name or number of who it runs as.
      - Measures C(count) (lower is worse, fails at 0), C(rss_mb) (MiB, all together, with all that they started),
        C(oldest_s) and C(youngest_s) (seconds that they run; of the latter, lower is worse), C(files_percent) (the most
        open files of one, as a share of its limit, where this user may know).
      - Options of V(supervisor) follow.
      - C(socket), that of supervisord, by default V(/run/supervisor.sock), V(/var/run/supervisor.sock) or
        V(/run/supervisor/supervisor.sock), whichever there is; or C(url), such as V(http://127.0.0.1:9001).
        C(login_user), C(login_password), where it wants them.
      - C(programs), a list of V(group:name), V(group:*), or a bare name of a program or a group. All by default. One
        that is FATAL, BACKOFF, STOPPED, UNKNOWN, or EXITED with another status than 0, fails; STARTING and STOPPING are
        a warning, and so is EXITED with 0 of a program in the list.
      - C(window), for how many seconds a new start counts, V(600) by default.
      - Measures C(running) (lower is worse), C(not_running), C(restarts) (the most new starts of one program that looks
        within the window have seen; warns at 3, fails at 10), C(youngest_s) (seconds that the last one to start runs;
        lower is worse).
      - Options of V(systemd) follow.
      - C(units), a list, required. One that is not active fails; one that is being started or stopped is a warning. Of
        a service that a timer starts, name the timer.
      - C(user), whether to ask the manager of the user instead of the system's. V(false) by default.
      - Measures C(restarts) (the most automatic ones of one unit since it was started by hand), C(memory_mb) (MiB, all
        together).
      - Options of V(scheduler) follow.
      - C(file), which each run of a cron job, or of Laravel's C(schedule:run), renews. Required. When it has a time in
        it (seconds since 1970, or ISO 8601 with its offset from UTC), that is the last run; otherwise it is when it was
        last written. Without the file, the check says what to type to have one.
      - Measures C(age_s) (seconds, warns at 120, fails at 300). A last run in the future is a warning.
      - V(mysql), V(postgresql) and V(sqlite) look at the server itself besides logging in. The first is MariaDB too.
      - C(database), C(query), C(expect), C(login_host), C(login_port), C(login_user), C(login_password) and
        C(login_unix_socket) as with V(database); V(sqlite) has no login. Without C(query) no query is put.
      - C(write), V(false) by default. Whether to write one row for this host in the table C(holdfast_probe), which is
        made if it is missing, and to read it back. All else is read-only.
      - C(replica), V(false) by default, not with V(sqlite). Whether the server has to be a replica that replicates.
        It is never written then.
      - C(integrity), V(false) by default, only with V(sqlite). Whether to read the whole file for damage.
      - Measures of all three are C(write_ms). Of V(mysql) and V(postgresql), C(replication_lag_s), of a replica, warns
        at 30 and fails at 300; C(connections_percent), of those the server allows to users, 80 and 95;
        C(longest_transaction_s), 300 and 3600. Of V(postgresql), C(longest_prepared_s), of prepared transactions, 300
        and 3600; C(wraparound_percent), of the transaction numbers there are, 50 and 80; C(replicas), where lower is
        worse, and C(replica_lag_bytes), of the replicas that it feeds. Of V(sqlite), C(wal_mb), 64 and 1024.
      - What the user has no right to see is not measured, and the output names the C(GRANT) it takes. For MySQL that is
        C(PROCESS) for transactions and C(REPLICATION CLIENT), or MariaDB's C(SLAVE MONITOR), for C(replica); for
        PostgreSQL C(pg_read_all_stats).
      - Options of V(tls) follow.
      - C(host), required; C(port), V(443) by default.
      - C(server_name), the name that is asked for and verified, C(host) by default.
      - C(starttls), what is spoken before TLS begins, one of V(none), V(smtp), V(postgresql); V(none) by default.
      - C(validate_certs), V(true) by default. Without it the certificate's end still counts.
      - It measures C(certificate_days), until the certificate ends (warns at 14, fails at 3; less is worse).
      - Options of V(certificate) follow.
      - C(path), a PEM file, of which the first certificate counts. Required.
      - C(host_name), a name or address that it must be good for.
      - It measures C(certificate_days) as V(tls) does. One that is over, or not good yet, fails in any case.
      - Options of V(dns) follow.
      - C(domain), the name to ask for. Required.
      - C(server), a name server as a host, or a host and a port. Without it the system's resolver is asked, the hosts
        file included.
      - C(record), one of V(A), V(AAAA), V(CNAME), V(MX), V(NS), V(TXT); without C(server) one of the first two. Both of
        these by default.
      - C(expect), a list of addresses, or other records as a zone file has them, that must be among the answers.
      - It measures C(answers), how many there are (less is worse; no limits by default).
      - Options of V(stripe) follow. Its C(ttl) is V(300) by default.
      - C(api_key), a secret key, or better a restricted one that may only read the balance. Required.
      - C(livemode), V(true) or V(false), which mode the key must be of.
      - C(currency), the one to measure. Without it, the only one of the balance, if there are not several.
      - C(url), V(https://api.stripe.com) by default.
      - It measures C(available) and C(pending), in the currency's smallest unit (less is worse; no limits by default).
        A refused key fails at once; 429 is a warning, as with V(http).
      - Options of V(bunny) follow. Its C(ttl) is V(300) by default.
      - C(library), the number of a library of Bunny Stream. Required.
      - C(api_key), the library's own key, not the account's. Required.
      - C(url), V(https://video.bunnycdn.com) by default.
      - It measures C(videos), how many there are (less is worse; no limits by default). Keys and 429 are as with
        V(stripe).
      - Options of V(backup) follow.
      - C(root), C(app), as M(holdfast.deploy.db_backup) takes them. Required. Sets that are not whole, by the names and
        sizes of their files, do not count and are a warning; safety backups do not count.
      - C(verify), the level at which a set must have been verified, one of V(none), V(checksum), V(archive),
        V(rehearse). V(archive) by default; V(checksum) where the host cannot read its encrypted backups back.
      - C(offsite), whether the newest set must have its copy off-site, V(false) by default. It has none yet while it is
        being sent.
      - It measures C(age_h), the hours since the newest set was made, and C(verified_age_h), since the newest one was
        that is verified far enough (both warn at 26, fail at 50), C(offsite_age_h), since the newest one was that has a
        copy (no limits), and C(size_ratio), the newest one's size to that of the one before of the same database (less
        is worse; no limits).
      - Options of V(webhook_idempotency) follow. It fails when the table has no unique key that lets each event in
        once; M(holdfast.deploy.webhook_guard) makes it.
      - C(engine), C(database), C(login_host), C(login_port), C(login_user), C(login_password), C(login_unix_socket), as
        for V(database).
      - C(table), required; C(columns), V([provider, webhook_id]) by default, the last one being the event's id.
      - C(deliver), V(false) by default. Where it is true, one event as Stripe sends it, of the type C(holdfast.test),
        is sent many times at the same moment. All must be answered with 2xx, and one row of it be there, which is
        removed again. It takes a user who may delete rows; otherwise it warns.
      - C(url), C(signing_secret), where the application takes Stripe's webhooks, and the secret by which it knows them.
      - C(deliveries), how many times it is sent, 2 to 64, V(16) by default; C(provider), what the application writes
        into the first column, V(stripe) by default.
      - It measures C(duplicates), rows that are there again (fails at 1), and C(nulls), rows that no key compares.
      - Options of V(redis) follow. It fails when the server is loading its data, could not save them, or is a replica
        whose link is down.
      - C(login_host), V(localhost) by default; C(login_port), V(6379) by default; C(login_unix_socket); C(login_user),
        C(login_password); C(database), V(0) by default; C(tls), V(false) by default, with the system's certificates.
      - It measures C(memory_percent) of maxmemory and C(connections_percent) of maxclients, which warn at 80 and fail
        at 95; C(rejected_new), connections refused since the last look, which warns at 1; C(evicted_new), keys; and of
        a replica C(replication_lag_s), the seconds since it last heard of its master, which warns at 30. A user of an
        access list needs C(+info).
      - Options of V(queue) follow. It looks at queues of Laravel's and at the workers on the target. Its verdicts are
        V(no_workers), when there is work and no worker; V(stalled), when there is work, and all workers are stopped or
        none takes any; V(failing), when jobs fail or kill their workers; V(backlog), at a limit of C(oldest_s),
        C(pending) or C(drain_s); and the warnings V(maintenance), when workers rest until C(artisan up), and
        V(old_code), when workers run a release that is not the current one.
        A worker in the middle of a long job is not V(stalled) until C(retry_after).
      - C(backend), V(database) by default, or V(redis), with or without Horizon. A user of Redis' access list
        needs C(+llen +lindex +zcard +zcount +zrange +zrangebyscore +hget), C(+select) with C(database), and the keys
        below C(prefix) and C(horizon_prefix).
      - C(queue), a list of their names, V([default]) by default.
      - C(engine), C(database), C(login_host), C(login_port), C(login_user), C(login_password), C(login_unix_socket), as
        of V(database), or without C(engine), and with C(tls), as of V(redis).
      - C(jobs_table), V(jobs) by default; C(failed_table), V(failed_jobs) by default, or an empty text to leave it out.
      - C(failed_engine), C(failed_database), C(failed_login_host), C(failed_login_port), C(failed_login_user),
        C(failed_login_password), C(failed_login_unix_socket), where the failed jobs are when C(backend) is V(redis).
        Without them they are not looked at.
      - C(prefix), the application's REDIS_PREFIX; or C(app_name), its APP_NAME, for Laravel's default ones. Both the
        one until Laravel 12 and the one from 13 on are looked at. None by default.
      - C(horizon_prefix), HORIZON_PREFIX, of Horizon's counters of jobs that went well. Its default by C(app_name), or
        V(horizon:).
      - C(retry_after), the connection's, in seconds, V(90) by default.
      - C(stalled_after), the seconds for which work may wait while no worker does any, V(60) by default.
      - C(workers_here), whether the target has workers, V(true) by default. With V(false) processes are not looked at;
        that is for other hosts, and for workers that cron starts and that end when there is no work.
      - C(match), a regular expression for the workers' command line, C(artisan queue:work), C(queue:listen) or
        C(horizon:work) by default. C(path), the application's folder, which has C(current) in it, to leave out workers
        of others. Their C(--queue) tells which queues they are for. To see what release workers of other users run
        takes root.
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
        has to run as the same user. A folder that others may write to is not used, which is warned of.
      - V(/var/cache/holdfast/probes) by default, or V(~/.cache/holdfast/probes) for users other than root.
    type: path
  write_health_json:
    description:
      - A file for the results in the form of application/health+json, replaced as a whole, readable by all.
      - Neither this file nor the others are written in check mode, nor do they count as a change. That one cannot be
        written is warned of, and does not fail the task.
    type: path
  write_prometheus:
    description:
      - A file for the results in the text format of Prometheus, such as one named C(*.prom) in the folder that
        node_exporter's C(textfile) collector reads.
    type: path
  write_page:
    description:
      - A file for the results as an HTML page that a person reads, with the history of the last day, which is kept
        beside it in a hidden file.
    type: path
  required:
    description: Whether the task fails when it is not reached. With V(false) it only returns what was seen.
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
      - name: reports database
        type: postgresql
        database: reports
        login_user: reports
        login_password: "{{ reports_db_password }}"
        replica: true
        fail:
          replication_lag_s: 60
      - name: workers
        type: command
        command: systemctl is-active shop-worker
      - name: redis
        type: redis
        login_password: "{{ shop_redis_password }}"
        critical: false
      - type: disk
        path: /var/www
        fail:
          free_mb: 500
      - type: supervisor
        programs: ["shop-worker:*"]
      - type: scheduler
        file: /var/www/shop/shared/storage/framework/scheduled
      - name: payments
        type: stripe
        api_key: "{{ shop_stripe_key }}"
        livemode: true
      - name: backups
        type: backup
        root: /var/backups/holdfast
        app: shop
        verify: rehearse
        offsite: true
        warn:
          verified_age_h: 170
        fail:
          verified_age_h: 200

- name: Write what there is to see for people and for Prometheus
  holdfast.deploy.health_probe:
    required: false
    write_page: /var/www/status/index.html
    write_prometheus: /var/lib/prometheus/node-exporter/holdfast.prom
    checks:
      - type: http
        url: https://shop.example.com/up
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
    - The last round's results in the text format of Prometheus, as metrics C(holdfast_probe_up),
      C(holdfast_probe_status) (0 pass, 1 warn, 2 fail), C(holdfast_probe_duration_seconds),
      C(holdfast_probe_age_seconds), C(holdfast_probe_value) and C(holdfast_probe_last_run_timestamp_seconds).
  returned: always
  type: str
"""

import socket
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.holdfast.errors import HoldfastError, InvalidInput
from ..module_utils.holdfast.probe.checks import FAIL
from ..module_utils.holdfast.probe.options import LONGEST_S
from ..module_utils.holdfast.probe.parse import parse, secrets_of
from ..module_utils.holdfast.probe.report import as_health_json, as_prometheus
from ..module_utils.holdfast.probe.run import Gate, Outcome, run_gate
from ..module_utils.holdfast.probe.store import Store, default_folder
from ..module_utils.holdfast.probe.write import Files, write


class ProbeModule(AnsibleModule):
    """A module whose checks, free dictionaries to Ansible, are masked in all that it returns and logs."""

    _understood = False

    def fail_json(self, msg: str, **kwargs: object) -> None:
        """Of options that Ansible refuses, nobody knows yet what is secret in them: they are not shown."""
        if not self._understood:
            kwargs["invocation"] = {"module_args": "not shown: they are not right, and may have secrets in them"}
        super().fail_json(msg, **kwargs)

    def _log_invocation(self) -> None:
        # Called before anything is logged or can fail by our doing. Ansible would log the checks with repr(),
        # in which it does not find a secret that has a quote or a backslash: they are left out.
        self.no_log_values.update(secrets_of(self.params["checks"]))
        self._understood = True
        self.log(f"Invoked with {len(self.params['checks'])} checks")


def gate_of(module: AnsibleModule) -> Gate:
    """The gate that the options describe. Raises InvalidInput."""
    params = module.params
    times = (params["timeout"], params["interval"])
    if params["successes"] < 1 or not all(0 <= one <= LONGEST_S for one in times):
        raise InvalidInput(f"successes must be at least 1, timeout and interval between 0 and {LONGEST_S} seconds.")
    return Gate(params["successes"], params["timeout"], params["interval"])


def report(module: AnsibleModule, outcome: Outcome) -> None:
    """Write the files that are wanted, and warn of those that cannot be."""
    wanted = {name: module.params[f"write_{name}"] for name in ("health_json", "prometheus", "page")}
    files = Files(**{name: Path(path) for name, path in wanted.items() if path})
    for problem in write(files, outcome, f"Health of {socket.gethostname()}"):
        module.warn(problem)


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
            "write_health_json": {"type": "path"},
            "write_prometheus": {"type": "path"},
            "write_page": {"type": "path"},
            "required": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        store = Store(Path(module.params["cache_dir"] or default_folder()), read_only=module.check_mode)
        checks = parse(module.params["checks"])
        outcome = run_gate(checks, gate_of(module), store, dry_run=module.check_mode)
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    for problem in store.trouble(checks):
        module.warn(problem)
    if not module.check_mode:
        report(module, outcome)
    for result in outcome.warnings if module.params["required"] else ():
        module.warn(f"{result.name}: {result.output}")
    if outcome.status == FAIL and module.params["required"]:
        module.fail_json(msg=outcome.verdict(), **returned(outcome))
    module.exit_json(**returned(outcome))


if __name__ == "__main__":
    main()
