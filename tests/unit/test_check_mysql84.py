"""What MySQL 8.4 answers, which is not installed here: other names than MariaDB's, and no old statements."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Look
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.databases import Session
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.deadline import Deadline
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.servers import Findings
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.types.mysql import study
from pymysql.err import OperationalError, ProgrammingError

from support.checks import parsed

# MySQL 8.4, "SHOW REPLICA STATUS Statement": the columns that matter, of a replica with two channels.
COLUMNS = ["Replica_IO_State", "Source_Host", "Replica_IO_Running", "Replica_SQL_Running", "Last_IO_Error",
           "Last_SQL_Error", "Seconds_Behind_Source", "Channel_Name"]  # fmt: skip
LEVEL = ("Waiting for source to send event", "10.0.0.1", "Yes", "Yes", "", "", 0, "one")
LATE = ("Waiting for source to send event", "10.0.0.2", "Yes", "Yes", "", "", 75, "two")
AWAY = ("Reconnecting after a failed source event read", "10.0.0.2", "Connecting", "Yes",
        "Error reconnecting to source 'repl@10.0.0.2:3306'. Message: Can't connect", "", None, "two")  # fmt: skip
DENIED = OperationalError(1227, "Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s)")


class Cursor:
    """One answer, as PEP 249 has it."""

    def __init__(self, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        self.description = [(name,) for name in columns]
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


def server(channels: list[tuple[Any, ...]] | None) -> Session:
    """A server with these channels; with None, who asks may not see them."""

    def execute(query: str, _: Any) -> Cursor:
        if query.startswith("SELECT VERSION()"):
            return Cursor(["v", "a", "m", "r"], [("8.4.3", "shop@%", 151, 1)])
        if query.startswith("SHOW GLOBAL STATUS"):
            return Cursor(["Variable_name", "Value"], [("Threads_connected", "3")])
        if "innodb_trx" in query:
            return Cursor(["longest"], [(None,)])
        if query == "SHOW REPLICA STATUS" and channels is not None:
            return Cursor(COLUMNS, channels)
        raise DENIED if query == "SHOW REPLICA STATUS" else ProgrammingError(1064, "You have an error in your SQL")

    return Session(execute)


def seen(channels: list[tuple[Any, ...]] | None) -> Any:
    check = parsed(type="mysql", database="shop", replica=True)
    found = Findings()
    study(server(channels), Look(check.options, Deadline(5), Store().notes(check), 0), found)
    return found.seen()


def test_the_channel_that_is_furthest_behind_counts():
    for channels in ([LEVEL, LATE], [LATE, LEVEL]):
        found = seen(channels)
        assert (found.status, found.values["replication_lag_s"]) == ("pass", 75)
        assert "MySQL 8.4.3; 3 of 151 connections; read-only; replicates from 10.0.0." in found.output


def test_a_channel_that_is_cut_off_fails_with_its_error():
    found = seen([LEVEL, AWAY])
    assert (found.status, found.verdict) == ("fail", "not_replicating")
    assert "replication from 10.0.0.2 has stopped: its I/O thread is Connecting, Error reconnecting" in found.output


@pytest.mark.parametrize(
    ("channels", "said"),
    [([], "replicates from nowhere"), (None, "that takes: GRANT REPLICATION CLIENT ON *.* TO `shop`@`%`")],
)
def test_no_replica_or_no_right_to_see_it(channels, said):
    found = seen(channels)
    assert found.status == "fail" and said in found.output
