# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a MySQL or MariaDB server is well: its replication, connections and transactions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..checks import CheckType, Look, Seen, excerpt
from ..databases import Session
from ..servers import SERVER_MEASURES, SERVER_OPTIONS, Findings, look_at, writes

_DENIED = 1227  # ER_SPECIFIC_ACCESS_DENIED_ERROR (MySQL, "Server Error Message Reference")
_SERVER = "SELECT VERSION(), CURRENT_USER(), @@global.max_connections, @@global.read_only"
# In the server's own time zone, in which it writes trx_started.
_LONGEST = """SELECT MAX(TIMESTAMPDIFF(SECOND, trx_started, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM'))) AS longest
FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> CONNECTION_ID()"""


def check_mysql(look: Look) -> Seen:
    """Log in and study the server."""
    return look_at("mysql", look, study)


def study(session: Session, look: Look, found: Findings) -> None:
    """Add what a server tells of itself to the findings."""
    ((version, account, most, read_only),) = session.rows(_SERVER)
    ((_, used),) = session.rows("SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    found.measure(connections_percent=100 * int(used) / int(most))
    found.said += [_product(version), f"{used} of {most} connections"]
    if str(read_only) not in ("0", "OFF"):
        found.said.append("read-only")
        found.read_only = "the server is read-only (read_only is on)"
    _study_transactions(session, account, found)
    _study_replication(session, look.options["replica"], version, account, found)


def _study_transactions(session: Session, account: str, found: Findings) -> None:
    rows = _unless_denied(session, _LONGEST)
    if rows is None:
        found.said.append(f"transactions not looked at, that takes: {_grant('PROCESS', account)}")
        return
    found.measure(longest_transaction_s=max(0, rows[0]["longest"] or 0))


def _study_replication(session: Session, wanted: bool, version: str, account: str, found: Findings) -> None:
    """Each connection to a source: a server of either make may have several."""
    channels = _unless_denied(session, _status_statement(version))
    if channels is None:
        if wanted:
            right = "SLAVE MONITOR" if _is_mariadb(version) and _number(version) >= (10, 5) else "REPLICATION CLIENT"
            found.fail(f"the user may not see how it replicates, that takes: {_grant(right, account)}")
        return
    if not channels:
        if wanted:
            found.fail("expected a replica, but the server replicates from nowhere", "not_replicating")
        return
    found.read_only = found.read_only or "the server is a replica, which would then differ from its source"
    for channel in channels:
        _study_channel({_today(name): value for name, value in channel.items()}, wanted, found)


def _study_channel(channel: Mapping[str, Any], wanted: bool, found: Findings) -> None:
    lag, source = channel["Seconds_Behind_Source"], channel["Source_Host"]
    threads = {"I/O": channel["Replica_IO_Running"], "SQL": channel["Replica_SQL_Running"]}
    stopped = [f"its {name} thread is {state}" for name, state in threads.items() if state != "Yes"]
    if not stopped and lag is not None:
        found.measure(replication_lag_s=max(lag, found.values.get("replication_lag_s", 0)))
        found.said.append(f"replicates from {source}")
        return
    errors = [_without_query(str(channel[name])) for name in ("Last_IO_Error", "Last_SQL_Error") if channel[name]]
    said = f"replication from {source} has stopped: {', '.join([*stopped, *errors]) or 'its lag is unknown'}"
    if wanted:
        found.fail(said, "not_replicating")
    elif errors:
        found.warn(said)
    else:
        found.said.append(said)


def _without_query(error: str) -> str:
    """An error of replication without the statement that failed: there may be passwords and personal data in it."""
    return excerpt(re.split(r"[.,;]? *(?:Default database: '[^']*'\. *)?Query: ", error)[0])


def _unless_denied(session: Session, query: str) -> list[dict[str, Any]] | None:
    """The rows of a query, or None when the user lacks a right for it."""
    from pymysql.err import MySQLError

    try:
        return session.records(query)
    except MySQLError as error:
        if error.args[:1] == (_DENIED,):
            return None
        raise


def _grant(right: str, account: str) -> str:
    """What an administrator types; the account is USER@HOST."""
    user, _, host = account.replace("`", "``").rpartition("@")
    return f"GRANT {right} ON *.* TO `{user}`@`{host}`"


def _status_statement(version: str) -> str:
    """The statement for replication's state, of all sources (MariaDB KB, "SHOW REPLICA STATUS"; MySQL, 8.0.22)."""
    if _is_mariadb(version):
        return "SHOW ALL SLAVES STATUS"
    return "SHOW REPLICA STATUS" if _number(version) >= (8, 0, 22) else "SHOW SLAVE STATUS"


def _today(column: str) -> str:
    """A column's name as MySQL 8.0.22 and later have it."""
    return column.replace("Master", "Source").replace("Slave", "Replica")


def _is_mariadb(version: str) -> bool:
    return "mariadb" in version.lower()


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _product(version: str) -> str:
    return f"{'MariaDB' if _is_mariadb(version) else 'MySQL'} {'.'.join(map(str, _number(version)))}"


MYSQL = CheckType(
    options=SERVER_OPTIONS,
    run=check_mysql,
    target=lambda options: str(options["database"]),
    component="datastore",
    measures=SERVER_MEASURES,
    may_change=writes,
)
