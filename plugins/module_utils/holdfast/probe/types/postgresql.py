# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a PostgreSQL server is well: its replication, connections, transactions and transaction numbers."""

from __future__ import annotations

import time
from typing import Any

from ..checks import CheckType, Look, Measure, Seen
from ..databases import Session
from ..servers import SERVER_MEASURES, SERVER_OPTIONS, Findings, look_at, writes

_LOOKS, _PAUSE_S, _SHORT_S = 3, 0.1, 1.0

# Of sessions that a user may not see, backend_type and xact_start are null (PostgreSQL, "pg_stat_activity").
_SERVER = """
SELECT current_setting('server_version') AS version,
  quote_ident(current_user) AS account,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0) AS most,
  activity.*,
  (SELECT max(extract(epoch FROM clock_timestamp() - prepared)) FROM pg_prepared_xacts) AS prepared,
  (SELECT 100 * greatest(max(age(datfrozenxid)), max(mxid_age(datminmxid))) / 2147483648.0 FROM pg_database) AS wrapped,
  pg_is_in_recovery() AS standby
FROM (
  SELECT count(*) FILTER (WHERE coalesce(backend_type, 'client backend') = 'client backend') AS used,
    count(*) FILTER (WHERE backend_type IS NULL) AS unseen,
    max(extract(epoch FROM clock_timestamp() - xact_start))
      FILTER (WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS longest
  FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL
) AS activity"""
_STANDBY = """
SELECT receiver.there, restores, replay.paused,
  pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() AS level,
  extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) AS behind
FROM (SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming') AS there,
  coalesce(current_setting('restore_command', true), '') <> '' AS restores) AS receiver,
  (SELECT pg_is_wal_replay_paused() AS paused) AS replay"""
_REPLICAS = """
SELECT count(*) AS replicas,
  max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
    replay_lsn)) AS bytes
FROM pg_stat_replication WHERE coalesce(state, '') <> 'backup'"""


def check_postgresql(look: Look) -> Seen:
    """Log in and study the server."""
    return look_at("postgresql", look, _study)


def _study(session: Session, look: Look, found: Findings) -> None:
    (server,) = session.records(_SERVER)
    found.measure(
        connections_percent=100 * server["used"] / server["most"],
        longest_transaction_s=server["longest"] or 0,
        longest_prepared_s=server["prepared"],
        wraparound_percent=server["wrapped"],
    )
    found.said += [
        f"PostgreSQL {server['version'].split()[0]}",
        f"{server['used']} of {server['most']} connections",
    ]
    if server["unseen"]:
        said = f"of {server['unseen']} sessions the transactions cannot be seen, that takes:"
        found.said.append(f"{said} GRANT pg_read_all_stats TO {server['account']}")
    if server["standby"]:
        found.read_only = "the server is a standby, which is read-only"
        _study_standby(session, look, found)
    elif look.options["replica"]:
        found.fail("expected a replica, but the server is a primary", "not_replicating")
    (replicas,) = session.records(_REPLICAS)
    if replicas["replicas"] or not server["standby"]:
        found.measure(replicas=replicas["replicas"], replica_lag_bytes=replicas["bytes"])


def _study_standby(session: Session, look: Look, found: Findings) -> None:
    """How far a standby is behind. PostgreSQL tells the reason why one stopped in its log only."""
    standby = _standby(session, look)
    behind = "an unknown time" if standby["behind"] is None else f"{standby['behind']:.0f} s"
    if standby["paused"]:
        said = f"its replay is paused, the last transaction is {behind} old"
    elif not (standby["there"] or standby["restores"]):
        said = f"it receives no WAL (its log tells why), the last transaction is {behind} old"
    else:
        lag = 0 if standby["there"] and standby["level"] else standby["behind"]
        found.measure(replication_lag_s=lag)
        found.said.append("replicates as a standby" if standby["there"] else "replicates from an archive")
        if lag is None:
            found.said.append("its lag is not known before the first transaction is replayed")
        return
    found.measure(replication_lag_s=standby["behind"])
    if look.options["replica"]:
        found.fail(said, "not_replicating")
    else:
        found.said.append(said)


def _standby(session: Session, look: Look) -> dict[str, Any]:
    """A standby's state.

    When the primary was idle, the last transaction is old for the moment in which the next one is replayed; so who
    seems to be behind is looked at again.
    """
    (found,) = session.records(_STANDBY)
    for _ in range(_LOOKS - 1):
        if found["level"] or found["behind"] is None or found["behind"] < _SHORT_S:
            break
        time.sleep(min(_PAUSE_S, look.deadline.left()))
        (found,) = session.records(_STANDBY)
    return found


POSTGRESQL = CheckType(
    options=SERVER_OPTIONS,
    run=check_postgresql,
    target=lambda options: str(options["database"]),
    component="datastore",
    measures={
        **SERVER_MEASURES,
        "longest_prepared_s": Measure("s", warn=300, fail=3600),
        "wraparound_percent": Measure("%", warn=50, fail=80),
        "replicas": Measure(lower_is_worse=True),
        "replica_lag_bytes": Measure("bytes"),
    },
    may_change=writes,
)
