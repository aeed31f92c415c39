"""The unique key that makes each webhook count once: found, made, and what is in its way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import (
    DatabaseError,
    HoldfastError,
    InvalidInput,
    Locked,
    NotFound,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.options import engine_from
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.webhooks.guard import Guarded, Wish, guard
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.webhooks.keys import DIALECTS, look_at

from support.databases import PASSWORD, Database
from support.killed import killed_at
from support.playbook import run_module
from support.processes import wait_until

EVENTS = (
    "CREATE TABLE webhook_events (id INTEGER PRIMARY KEY, provider VARCHAR(50), webhook_id VARCHAR(100), payload TEXT)"
)
ROWS = (
    "INSERT INTO webhook_events VALUES (1, 'stripe', 'evt_1', 'first'), (2, 'stripe', 'evt_2', NULL),"
    " (3, 'stripe', 'evt_1', 'again'), (4, 'paypal', 'evt_1', 'another'), (5, 'stripe', 'evt_1', 'and again'),"
    " (6, 'stripe', NULL, 'nobody'), (7, 'stripe', NULL, 'nobody')"
)
KEY = "webhook_events_provider_webhook_id_unique"
WORKS = "INSERT INTO webhook_events VALUES (90, 'stripe', 'evt_90', NULL)"
TWICE = "INSERT INTO webhook_events VALUES (91, 'stripe', 'evt_1', NULL)"


def engine_of(database: Database) -> Any:
    defaults = {"login_host": "localhost", "login_port": None, "login_user": None, "login_password": None}
    return engine_from({**defaults, "login_unix_socket": None, **database.options})


def guarded(database: Database, *, dry_run: bool = False, **wish: Any) -> Guarded:
    return guard(engine_of(database), Wish(**{"table": "webhook_events", **wish}), dry_run=dry_run)


def ids(database: Database, table: str = "webhook_events") -> list[int]:
    return [row[0] for row in database.sql(f"SELECT id FROM {table} ORDER BY id")]


@pytest.fixture
def events(database: Database) -> Database:
    """A database of each engine with a table without a key, and rows that came more than once."""
    database.sql(EVENTS)
    database.sql(ROWS)
    return database


def key_holds(database: Database) -> bool:
    """Whether a second row is refused and another one is not."""
    database.sql(WORKS)
    try:
        database.sql(TWICE)
    except Exception as error:  # each driver's own
        return "uplicate" in str(error) or "UNIQUE" in str(error)
    return False


def test_all_but_the_first_go_to_the_archive_and_the_key_holds(events):
    done = guarded(events)
    assert (done.key, done.added, done.archived, done.nulls) == (KEY, True, 2, 2)
    assert ids(events) == [1, 2, 4, 6, 7] and ids(events, done.archive_table) == [3, 5]
    moved = events.sql(
        "SELECT provider, webhook_id, payload, holdfast_archived_at, holdfast_run FROM webhook_events_duplicates"
        " ORDER BY id"
    )
    assert [row[:3] for row in moved] == [("stripe", "evt_1", "again"), ("stripe", "evt_1", "and again")]
    assert len({row[4] for row in moved}) == 1 and all(row[3] for row in moved)
    assert "2 rows have NULL in (provider, webhook_id)" in done.warnings[0]
    assert key_holds(events)


def test_a_second_run_changes_nothing(events):
    guarded(events)
    before = events.content()
    done = guarded(events)
    assert (done.key, done.added, done.archived, done.archive_table) == (KEY, False, 0, None)
    assert events.content() == before


def test_the_module_predicts_shows_and_then_does_what_it_said(events):
    options = {**events.options, "table": "webhook_events"}
    before = events.content()
    told, shown = run_module("webhook_guard", options, "--check", "--diff")
    assert events.content() == before
    assert (told["changed"], told["key"], told["added"], told["archived"]) == (True, KEY, True, 2)
    assert f"+unique key on (provider, webhook_id): {KEY}" in shown and "-duplicates: 2" in shown
    done, _ = run_module("webhook_guard", options)
    names = ("changed", "key", "added", "archived", "archive_table", "nulls")
    assert [done[name] for name in names] == [told[name] for name in names]


def test_order_by_decides_which_row_is_the_first_and_nulls_are_last(events):
    events.sql("ALTER TABLE webhook_events ADD COLUMN seen INTEGER")
    events.sql("UPDATE webhook_events SET seen = 20 WHERE id = 3")
    events.sql("UPDATE webhook_events SET seen = 10 WHERE id = 5")
    assert guarded(events, order_by="seen").archived == 2
    assert ids(events) == [2, 4, 5, 6, 7]


def test_refuse_tells_how_many_and_which_and_changes_nothing(events):
    before = events.content()
    with pytest.raises(InvalidInput, match=r"2 rows stand in webhook_events that came before .*: evt_1"):
        guarded(events, duplicates="refuse")
    assert events.content() == before


def test_a_key_on_the_same_columns_in_another_order_or_on_some_of_them_is_enough(database):
    made = [
        "CREATE TABLE a (provider VARCHAR(9), webhook_id VARCHAR(9), UNIQUE (webhook_id, provider))",
        "CREATE TABLE a (n INTEGER PRIMARY KEY, provider VARCHAR(9), webhook_id VARCHAR(9) UNIQUE)",
        "CREATE TABLE a (provider VARCHAR(9), webhook_id VARCHAR(9), PRIMARY KEY (webhook_id, provider))",
        "CREATE TABLE a (provider VARCHAR(9), webhook_id INTEGER PRIMARY KEY)",
    ]
    for statement in made:
        database.sql(statement)
        done = guarded(database, table="a")
        assert done.added is False and done.key, statement
        database.sql("DROP TABLE a")


def test_a_key_on_more_columns_is_not_enough(database):
    database.sql(EVENTS)
    database.sql("CREATE UNIQUE INDEX with_id ON webhook_events (provider, webhook_id, id)")
    assert guarded(database).added is True


NOT_ENOUGH = {
    "sqlite": [
        ("CREATE UNIQUE INDEX near ON webhook_events (provider, webhook_id) WHERE id > 100", "part of the rows"),
        ("CREATE UNIQUE INDEX near ON webhook_events (provider, lower(webhook_id))", "is on an expression"),
    ],
    "mysql": [("CREATE UNIQUE INDEX near ON webhook_events (provider, webhook_id(90))", "the beginning of a column")],
    "postgresql": [
        ("CREATE UNIQUE INDEX near ON webhook_events (provider, webhook_id) WHERE id > 100", "part of the rows"),
        ("CREATE UNIQUE INDEX near ON webhook_events (provider, lower(webhook_id))", "is on an expression"),
        (
            "ALTER TABLE webhook_events ADD CONSTRAINT near UNIQUE (provider, webhook_id) DEFERRABLE",
            "is deferrable",
        ),
    ],
}


def test_a_unique_index_that_lets_some_in_twice_is_not_enough_and_is_named(database):
    for made, why in NOT_ENOUGH[database.engine]:
        database.sql(EVENTS)
        database.sql(made)
        done = guarded(database)
        assert done.added is True, made
        assert any("near" in warning and why in warning for warning in done.warnings), done.warnings
        database.sql("DROP TABLE webhook_events")


def test_names_that_would_break_out_of_a_statement_are_quoted(database):
    quote = DIALECTS[database.engine].quote
    table, provider, event = "odd `t` \"q\" 'x' %s é", 'pro"vi`der', "id'; DROP TABLE customers; --"
    database.sql(
        f"CREATE TABLE {quote(table)} (id INTEGER PRIMARY KEY, {quote(provider)} VARCHAR(9), {quote(event)} VARCHAR(9))"
    )
    database.sql(f"INSERT INTO {quote(table)} VALUES (1, 'a', 'b'), (2, 'a', 'b')")
    wish = {"table": table, "columns": [provider, event]}
    assert guarded(database, dry_run=True, **wish).archived == 1
    assert guarded(database, **wish).archived == 1
    assert guarded(database, **wish).added is False
    assert database.sql("SELECT COUNT(*) FROM customers")[0][0] == 3


def test_a_derived_name_that_is_too_long_is_made_shorter(database):
    table = "t" * (200 if database.engine == "sqlite" else 60)
    database.sql(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, provider VARCHAR(9), webhook_id VARCHAR(9))")
    done = guarded(database, table=table)
    limit = DIALECTS[database.engine].name_limit
    assert done.key.endswith("_unique") and (limit is None or len(done.key) == limit)
    assert guarded(database, table=table).key == done.key


REFUSED: list[tuple[dict[str, Any], type[HoldfastError], str]] = [
    ({"table": "not_there"}, NotFound, "has no table 'not_there'"),
    ({"table": "x" * 70}, NotFound, "has no table 'xxx"),
    ({"table": "web\0hook"}, InvalidInput, "cannot be the name"),
    ({"table": "names"}, InvalidInput, "names is no ordinary table"),
    ({"columns": ["provider", "event"]}, NotFound, "no column 'event'. It has: id, provider, webhook_id, payload"),
    ({"columns": []}, InvalidInput, "at least one column"),
    ({"columns": ["provider", "provider"]}, InvalidInput, "none twice"),
    ({"order_by": "created_at"}, NotFound, "no column 'created_at'"),
    ({"key_name": "PRIMARY"}, InvalidInput, "key_name 'PRIMARY' cannot be used"),
    ({"archive_table": "webhook_events"}, InvalidInput, "must be another table"),
    ({"archive_table": "customers"}, InvalidInput, "customers cannot take rows of webhook_events: it lacks"),
]


def test_what_cannot_be_is_refused_in_words_by_check_mode_as_well(events):
    before = events.content()
    for wish, kind, said in REFUSED:
        for dry_run in (True, False):
            with pytest.raises(kind) as refused:
                guarded(events, dry_run=dry_run, **wish)
            assert said in str(refused.value)
    assert events.content() == before


def test_a_name_that_another_index_has_is_refused(events):
    events.sql("CREATE INDEX slow ON webhook_events (provider)")
    with pytest.raises(InvalidInput, match="The name slow is taken"):
        guarded(events, key_name="slow")


def test_a_table_without_primary_key_gets_the_key_but_no_row_is_moved(database):
    database.sql("CREATE TABLE webhook_events (provider VARCHAR(9), webhook_id VARCHAR(9))")
    database.sql("INSERT INTO webhook_events VALUES ('a', 'b'), ('a', 'b')")
    with pytest.raises(InvalidInput, match="no primary key to tell them by"):
        guarded(database)
    database.sql("DELETE FROM webhook_events")
    assert guarded(database).added is True


def test_a_row_that_a_foreign_key_points_at_is_not_moved(events):
    engine = " ENGINE=InnoDB" if events.engine == "mysql" else ""
    events.sql(
        "CREATE TABLE effects (n INTEGER PRIMARY KEY, event INTEGER,"
        f" FOREIGN KEY (event) REFERENCES webhook_events (id) ON DELETE CASCADE){engine}"
    )
    events.sql("INSERT INTO effects VALUES (1, 1), (2, 3)")
    before = events.content()
    for dry_run in (True, False):
        with pytest.raises(
            InvalidInput, match=r"foreign keys of 1 rows of .*effects.* point at rows of webhook_events"
        ):
            guarded(events, dry_run=dry_run)
    assert events.content() == before
    events.sql("UPDATE effects SET event = 1 WHERE n = 2")
    assert guarded(events).archived == 2
    assert len(events.sql("SELECT * FROM effects")) == 2


def test_a_second_archiving_goes_on_in_the_same_table(events):
    guarded(events)
    drop = f"DROP INDEX {KEY}" + (" ON webhook_events" if events.engine == "mysql" else "")
    events.sql(drop)
    events.sql("INSERT INTO webhook_events VALUES (3, 'stripe', 'evt_1', 'once more')")
    assert guarded(events).archived == 1
    assert ids(events, "webhook_events_duplicates") == [3, 3, 5]


def test_ids_that_differ_in_capitals_are_not_duplicates(database):
    kind = {"sqlite": "TEXT COLLATE NOCASE", "mysql": "VARCHAR(50)", "postgresql": "TEXT"}[database.engine]
    database.sql(f"CREATE TABLE webhook_events (id INTEGER PRIMARY KEY, provider VARCHAR(9), webhook_id {kind})")
    database.sql("INSERT INTO webhook_events VALUES (1, 'stripe', 'evt_a'), (2, 'stripe', 'evt_A')")
    if database.engine == "postgresql":
        assert guarded(database).archived == 0
        return
    with pytest.raises(InvalidInput, match="ids that are different, but not by the column's collation: evt_"):
        guarded(database)
    assert ids(database) == [1, 2]


def test_a_trigger_that_keeps_rows_leaves_everything_as_it_was(events):
    if events.engine == "postgresql":
        events.sql("CREATE RULE keep AS ON DELETE TO webhook_events DO INSTEAD NOTHING")
    elif events.engine == "sqlite":
        events.sql("CREATE TRIGGER keep BEFORE DELETE ON webhook_events BEGIN SELECT RAISE(IGNORE); END")
    else:
        events.sql(
            "CREATE TRIGGER keep BEFORE DELETE ON webhook_events FOR EACH ROW"
            " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'rows of webhook_events cannot be deleted'"
        )
    with pytest.raises(DatabaseError, match="rows of webhook_events cannot be deleted"):
        guarded(events)
    assert ids(events) == [1, 2, 3, 4, 5, 6, 7]


def test_a_second_run_at_the_same_time_is_told_so(events):
    engine = engine_of(events)
    if events.engine == "sqlite":
        # It waits for the other's transaction instead.
        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(lambda _: guarded(events), range(3)))
        assert sorted((one.added, one.archived) for one in done) == [(False, 0), (False, 0), (True, 2)]
        assert ids(events, "webhook_events_duplicates") == [3, 5]
        return
    dialect = DIALECTS[events.engine]
    with engine.asking() as ask:
        table = look_at(ask, dialect, "webhook_events", ["webhook_id"]).table
        with dialect.alone(ask, table), pytest.raises(Locked, match="Another run is at the table webhook_events"):
            guarded(events)
    assert guarded(events).archived == 2


@pytest.mark.parametrize("point", ["webhooks: archived", "webhooks: moved"])
def test_a_run_that_was_killed_left_each_row_in_one_of_the_tables_and_is_gone_on_with(events, point):
    assert killed_at(point, lambda: guarded(events))

    def everywhere() -> list[int]:
        there = {name.rpartition(".")[2] for name in engine_of(events).count_rows()}
        archive = "webhook_events_duplicates"
        return ids(events) + (ids(events, archive) if archive in there else [])

    wait_until(lambda: sorted(everywhere()) == [1, 2, 3, 4, 5, 6, 7], "the dead run's transaction is undone", 20)
    wait_until(lambda: not guarded_or_locked(events), "the dead run's lock is gone", 20)
    assert ids(events) == [1, 2, 4, 6, 7] and ids(events, "webhook_events_duplicates") == [3, 5]
    assert key_holds(events)


def guarded_or_locked(database: Database) -> bool:
    """Make the key; true where the server has not noticed yet that an earlier run is dead."""
    try:
        guarded(database)
    except Locked:
        return True
    return False


def test_duplicates_that_keep_coming_are_moved_too_and_none_is_lost(events):
    """A writer that inserts every id twice until the key is there, from before the run."""
    if events.engine == "sqlite":
        return  # one transaction: nothing comes in between
    sent: list[int] = []
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        with engine_of(events).asking() as ask:
            for number in range(1000, 100_000, 2):
                for row in (number, number + 1):
                    try:
                        ask("INSERT INTO webhook_events VALUES (%s, 'stripe', %s, NULL)", (row, f"evt_{number}"))
                        sent.append(row)
                    except Exception:
                        stop.set()
                begun.set()
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(20)
    try:
        guarded(events)
    except HoldfastError as error:
        assert "new duplicates came during each of 5 attempts" in str(error)
    finally:
        stop.set()
        writer.join(20)
    guarded(events)
    kept, moved = ids(events), ids(events, "webhook_events_duplicates")
    assert sorted(kept + moved) == sorted([1, 2, 3, 4, 5, 6, 7, *sent]), "each row is in one of the two tables"
    assert events.sql("SELECT COUNT(*) FROM webhook_events GROUP BY provider, webhook_id HAVING COUNT(*) > 1") in (
        [(2,)],  # the two of NULL
        (),
    )


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_index_that_a_failed_attempt_left_is_made_anew(events):
    with engine_of(events).asking() as ask, pytest.raises(Exception, match="could not create unique index"):
        ask(f"CREATE UNIQUE INDEX CONCURRENTLY {KEY} ON webhook_events (provider, webhook_id)")
    assert events.sql(f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{KEY}'::regclass") == [(False,)]
    done = guarded(events)
    assert (done.key, done.added, done.archived) == (KEY, True, 2)
    assert any("is not valid" in warning for warning in done.warnings)
    assert events.sql(f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{KEY}'::regclass") == [(True,)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_may_write_but_does_not_own_the_table_is_told_before_a_row_is_moved(events, request):
    server = request.getfixturevalue("postgresql_server")
    server.sql("ALTER TABLE webhook_events OWNER TO postgres", events.login["database"])
    server.sql("GRANT ALL ON webhook_events TO shop", events.login["database"])
    for dry_run in (True, False):
        with pytest.raises(InvalidInput, match="shop may not make a key on webhook_events: only its owner, postgres"):
            guarded(events, dry_run=dry_run)
    assert ids(events) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_json_and_partitioned_tables_are_refused_in_words(database):
    database.sql("CREATE TABLE a (id INT PRIMARY KEY, webhook_id JSON)")
    with pytest.raises(InvalidInput, match="webhook_id of a is json, which no unique index takes"):
        guarded(database, table="a", columns=["webhook_id"])
    database.sql("CREATE TABLE b (id INT, webhook_id TEXT) PARTITION BY RANGE (id)")
    with pytest.raises(InvalidInput, match="b is a partitioned table"):
        guarded(database, table="b", columns=["webhook_id"])


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ("provider TEXT, webhook_id VARCHAR(99)", "", "provider of w is text, which no key takes whole: change it to"),
        ("provider VARCHAR(300), webhook_id VARCHAR(500)", "", "it would have 3200 bytes, and 3072 are allowed"),
        (
            "provider VARCHAR(9), webhook_id VARCHAR(255)",
            "ROW_FORMAT=COMPACT",
            "1020 bytes at most, and a key of a table with ROW_FORMAT=COMPACT takes 767",
        ),
    ],
)
def test_a_column_that_is_too_long_is_refused_with_what_to_change(database, columns, options, said):
    database.sql(f"CREATE TABLE w (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4 {options}")
    for dry_run in (True, False):
        with pytest.raises(InvalidInput) as refused:
            guarded(database, table="w", dry_run=dry_run)
        assert said in str(refused.value)


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_key_of_just_the_allowed_length_is_made(database):
    database.sql("CREATE TABLE w (id INT PRIMARY KEY, provider VARCHAR(256), webhook_id VARCHAR(512))")
    assert guarded(database, table="w").added is True


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_table_without_transactions_keeps_its_rows_and_gets_its_key_with_a_warning(database):
    database.sql(EVENTS + " ENGINE=MyISAM")
    database.sql(ROWS)
    with pytest.raises(InvalidInput, match="its engine MyISAM has no transactions"):
        guarded(database)
    database.sql("DELETE FROM webhook_events WHERE id IN (3, 5)")
    done = guarded(database)
    assert done.added and any("could not make the key online" in warning for warning in done.warnings)


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_table_that_someone_keeps_is_given_up_with_an_error(database):
    database.sql(EVENTS)
    with engine_of(database).asking() as ask:
        ask("START TRANSACTION")
        ask("SELECT * FROM webhook_events")
        with pytest.raises(DatabaseError, match="someone has kept the table in a transaction for 5 s"):
            guarded(database)
    assert guarded(database).added is True


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_zero_dates_and_computed_columns_are_moved_as_they_are(database):
    database.sql(
        "CREATE TABLE webhook_events (id INT PRIMARY KEY, provider VARCHAR(9), webhook_id VARCHAR(9),"
        " d DATE NOT NULL, twice INT GENERATED ALWAYS AS (id * 2) STORED, t TIMESTAMP NULL)"
    )
    database.sql("INSERT INTO webhook_events (id, provider, webhook_id, d) VALUES (1,'a','b',0), (2,'a','b',0)")
    assert guarded(database).archived == 1
    assert database.sql("SELECT CAST(d AS CHAR), twice, t FROM webhook_events_duplicates") == [("0000-00-00", 4, None)]


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_refusal_of_the_server_has_no_password_in_it(events):
    wrong = {**events.options, "login_password": PASSWORD + "-not", "table": "webhook_events"}
    result, shown = run_module("webhook_guard", wrong)
    assert result["failed"] and "Cannot reach the database" in result["msg"]
    assert "S3cret" not in shown


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_an_archive_of_before_that_is_narrower_by_now_cuts_nothing_off(events):
    guarded(events)
    events.sql(f"DROP INDEX {KEY} ON webhook_events")
    events.sql("ALTER TABLE webhook_events_duplicates MODIFY payload VARCHAR(5)")
    events.sql("INSERT INTO webhook_events VALUES (8, 'stripe', 'evt_1', 'a longer one')")
    with pytest.raises(DatabaseError, match="Data too long for column 'payload'"):
        guarded(events)
    assert events.sql("SELECT payload FROM webhook_events WHERE id = 8") == [("a longer one",)]
    assert ids(events, "webhook_events_duplicates") == [3, 5]


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
@pytest.mark.parametrize(
    ("granted", "lacking"),
    [
        ("SELECT", "ALTER, CREATE, INSERT, DELETE"),
        ("SELECT, INSERT, UPDATE, DELETE, CREATE, INDEX", "ALTER"),
        ("SELECT, INSERT, CREATE, ALTER", "DELETE"),
    ],
)
def test_a_user_with_too_few_rights_is_told_which_before_a_row_is_moved(events, request, granted, lacking):
    server, name = request.getfixturevalue("mariadb_server"), events.login["database"]
    server.sql("CREATE OR REPLACE USER `few`@`%` IDENTIFIED BY 'few'")
    server.sql(f"GRANT {granted} ON `{name}`.* TO `few`@`%`")
    few = replace(events, login={**events.login, "login_user": "few", "login_password": "few"})
    before = events.content()
    for dry_run in (True, False):
        with pytest.raises(InvalidInput, match=f"it lacks {lacking}. GRANT {lacking} ON `{name}`") as refused:
            guarded(few, dry_run=dry_run)
    assert events.content() == before
    server.sql(str(refused.value).split(". ")[1].replace("that user.", "`few`@`%`"))
    assert guarded(few).archived == 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_schema_that_takes_no_new_table_and_a_database_for_reading_are_told_beforehand(events, request):
    server, name = request.getfixturevalue("postgresql_server"), events.login["database"]
    server.sql("ALTER SCHEMA public OWNER TO postgres", name)
    server.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    with pytest.raises(InvalidInput, match=r'shop may not make a key .* GRANT CREATE ON SCHEMA "public" TO "shop"'):
        guarded(events, dry_run=True)
    server.sql('GRANT CREATE ON SCHEMA "public" TO "shop"', name)
    server.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(InvalidInput, match="set to read only"):
        guarded(events, dry_run=True)
    server.sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert guarded(events).archived == 2
