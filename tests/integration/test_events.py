"""MySQL's events do nothing in a copy, come back as they were, and do not stop a restore when their time has passed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import (
    Restored,
    find_source,
    restore,
    undo,
)

from support.databases import Database
from support.killed import killed_at
from support.processes import wait_until
from support.sets import engine_of, make_set

pytestmark = pytest.mark.parametrize("database", ["mysql"], indirect=True)
STATES = (
    "SELECT event_name, status, on_completion FROM information_schema.events WHERE event_schema LIKE '{}' ORDER BY 1"
)


def put_back(database: Database, root: Path, name: str = "latest") -> Restored:
    engine = engine_of(database)
    return restore(engine, find_source(root, "shop", name, engine), verify="rehearse", safety=None)


def with_events(database: Database) -> list[tuple[Any, ...]]:
    """Events in each state, one with a name that is hard to read; returns how they are."""
    database.sql("CREATE EVENT `don't ``stop``` ON SCHEDULE EVERY '1:30' HOUR_MINUTE COMMENT 'ENABLE' DO SET @x = 1")
    database.sql("CREATE EVENT off ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE DISABLE DO SET @x = 2")
    found: list[tuple[Any, ...]] = database.sql(STATES.format(database.login["database"]))
    assert {row[1] for row in found} == {"ENABLED", "DISABLED"}
    return found


def test_events_sleep_in_a_copy_and_are_awake_after_the_swap(swapping, tmp_path, request):
    before = with_events(swapping)
    make_set(swapping, tmp_path / "b")
    assert killed_at("restore: compared", lambda: put_back(swapping, tmp_path / "b"))
    copied = request.getfixturevalue("mariadb_server").sql(STATES.format("holdfast%"))
    assert [row[0] for row in copied] == [row[0] for row in before]
    assert {row[1] for row in copied} == {"DISABLED"}
    swapping.sql("DROP EVENT nightly")
    assert put_back(swapping, tmp_path / "b").kept
    assert swapping.sql(STATES.format(swapping.login["database"])) == before


def test_events_are_awake_after_a_restore_in_place(database, tmp_path):
    before = with_events(database)
    made = make_set(database, tmp_path / "b")
    database.sql("DROP EVENT nightly")
    engine = engine_of(database)
    source = find_source(tmp_path / "b", "shop", made.id, engine)
    assert restore(engine, source, verify="archive", safety=None).in_place
    assert database.sql(STATES.format(database.login["database"])) == before


def test_an_event_whose_time_has_passed_does_not_stop_a_restore(swapping, tmp_path):
    swapping.sql("CREATE EVENT once ON SCHEDULE AT NOW() + INTERVAL 2 SECOND DO DELETE FROM empty_one")
    make_set(swapping, tmp_path / "b")
    gone = STATES.format(swapping.login["database"])
    wait_until(lambda: "once" not in [row[0] for row in swapping.sql(gone)], "the event has come and gone")
    assert put_back(swapping, tmp_path / "b").kept
    assert [row[0] for row in swapping.sql(gone)] == ["nightly"]


def test_rights_on_single_routines_stay(swapping, tmp_path, request):
    server = request.getfixturevalue("mariadb_server")
    name = swapping.login["database"]
    caller = f"caller_{name}"
    server.sql(f"CREATE USER {caller} IDENTIFIED BY 'C4ller-passw0rd'")
    server.sql(f"GRANT EXECUTE ON FUNCTION {name}.three TO {caller} WITH GRANT OPTION")
    server.sql(f"GRANT EXECUTE ON PROCEDURE {name}.greet TO {caller}")

    def three() -> Any:
        return server.sql("SELECT three()", name, user=caller, password="C4ller-passw0rd")[0][0]

    make_set(swapping, tmp_path / "b")
    login = {"database": name, "login_unix_socket": str(server.socket), "login_user": "root"}
    root = replace(swapping, login=login)
    assert put_back(root, tmp_path / "b").kept
    assert three() == 3
    server.sql("DROP FUNCTION three", name)
    with pytest.raises(pymysql.MySQLError):
        three()
    undo(engine_of(root), tmp_path / "b", "shop")
    assert three() == 3
    dump = tmp_path / "dump.sql"
    dump.write_text("DELIMITER ;;\nCREATE FUNCTION three() RETURNS INT DETERMINISTIC RETURN 4 ;;\nDELIMITER ;\n")
    assert put_back(root, tmp_path / "b", str(dump)).in_place
    assert three() == 4
    server.sql(f"DROP USER {caller}")
    for kept in engine_of(root).kept():
        server.drop_database(kept)
