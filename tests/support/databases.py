"""One database of each engine, filled with what is hard to back up."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .mariadb import MariaDB
from .postgres import PostgreSQL

PASSWORD = "S3cret'pass\"word\\with: #edges%"
ODD_TEXT = 'O\'Brien \\ "quoted" `ticks`\n\ttwo lines; -- no comment\r\n😀 日本語 ),(\\.'


@dataclass(frozen=True)
class Database:
    """A live database: how modules log in, how a test speaks to it, and all that it holds."""

    engine: str
    login: dict[str, Any]
    sql: Callable[[str], Any]
    content: Callable[[], dict[str, Any]]

    @property
    def options(self) -> dict[str, Any]:
        """What the modules take."""
        return {"engine": self.engine, **self.login}


COMMON = [
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name {text} NOT NULL, picture {blob})",
    "CREATE TABLE empty_one (x INTEGER)",
    "CREATE VIEW names AS SELECT name FROM customers",
    "INSERT INTO customers VALUES (1, 'Ada', NULL), (2, {odd}, {bytes}), (3, '', {no_bytes})",
]


def sqlite_content(path: Path) -> dict[str, Any]:
    """Every row of every table, and how everything was made."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        tables = [name for kind, name, _ in made if kind == "table"]
        return {"made": made, **{name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}}


@contextlib.contextmanager
def sqlite_database(folder: Path) -> Iterator[Database]:
    path = folder / "live.sqlite"

    def sql(statement: str) -> Any:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    sql("PRAGMA journal_mode = WAL")
    values = {"text": "TEXT", "blob": "BLOB", "bytes": "x'00ff0a27'", "no_bytes": "x''"}
    values["odd"] = "'" + ODD_TEXT.replace("'", "''") + "'"
    for statement in COMMON:
        sql(statement.format(**values))
    sql("CREATE TRIGGER shout AFTER INSERT ON empty_one BEGIN UPDATE customers SET name = name || '!'; END")
    sql("CREATE TABLE computed (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) STORED)")
    sql("INSERT INTO computed (a) VALUES (4)")
    yield Database("sqlite", {"database": str(path)}, sql, lambda: sqlite_content(path))


@contextlib.contextmanager
def mysql_database(server: MariaDB, name: str) -> Iterator[Database]:
    server.create_database(name, "shop", PASSWORD.replace("\\", "\\\\").replace("'", "\\'"))
    values = {"text": "VARCHAR(200)", "blob": "BLOB", "bytes": "x'00ff0a27'", "no_bytes": "x''"}
    values["odd"] = "'" + ODD_TEXT.replace("\\", "\\\\").replace("'", "\\'") + "'"
    quoted = name.replace("`", "``")
    login = {"database": name, "login_host": "127.0.0.1", "login_port": server.port}
    login |= {"login_user": "shop", "login_password": PASSWORD}

    def sql(statement: str) -> Any:
        return server.sql(statement, name, user="shop", password=PASSWORD)

    for statement in COMMON:
        sql(statement.format(**values))
    sql("CREATE TABLE odd_types (d DATE NOT NULL DEFAULT '0000-00-00', b BIT(5), e ENUM('a','b'), j JSON, t TIME(3))")
    sql("INSERT INTO odd_types VALUES ('0000-00-00', b'101', 'b', '{\"a\": [1]}', '-12:00:00.5')")
    sql("CREATE TABLE computed (a INT, b INT GENERATED ALWAYS AS (a * 2) STORED)")
    sql("INSERT INTO computed (a) VALUES (4)")
    sql("CREATE TRIGGER shout BEFORE INSERT ON empty_one FOR EACH ROW SET NEW.x = NEW.x + 1")
    confusing = "-- Dumping data for table `empty_one`\n  SELECT 'INSERT INTO `x` VALUES';"
    sql(f"CREATE PROCEDURE greet()\nBEGIN\n  {confusing}\nEND")
    sql("CREATE FUNCTION three() RETURNS INT DETERMINISTIC RETURN 3")
    sql("CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM empty_one")

    def content() -> dict[str, Any]:
        found = server.content(quoted) if quoted == name else {}
        found["routines"] = server.sql(
            "SELECT routine_name, routine_definition FROM information_schema.routines"
            f" WHERE routine_schema = '{name}' ORDER BY 1"
        )
        found["triggers"] = server.sql(
            f"SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = '{name}'"
        )
        found["events"] = server.sql(
            f"SELECT event_name, event_definition FROM information_schema.events WHERE event_schema = '{name}'"
        )
        return found

    try:
        yield Database("mysql", login, sql, content)
    finally:
        server.drop_database(quoted)


@contextlib.contextmanager
def postgresql_database(server: PostgreSQL, name: str) -> Iterator[Database]:
    server.create_database(name, "shop", PASSWORD.replace("'", "''"))
    login = {"database": name, "login_host": "127.0.0.1", "login_port": server.port}
    login |= {"login_user": "shop", "login_password": PASSWORD}

    def sql(statement: str) -> Any:
        return server.sql(statement, name, "shop")

    values = {"text": "TEXT", "blob": "BYTEA", "bytes": "'\\x00ff0a27'", "no_bytes": "''"}
    values["odd"] = "'" + ODD_TEXT.replace("'", "''") + "'"
    for statement in COMMON:
        sql(statement.format(**values))
    sql("CREATE TYPE mood AS ENUM ('good', 'bad')")
    sql("CREATE TABLE odd_types (id SERIAL PRIMARY KEY, m mood, a INT[], j JSONB, u TEXT UNIQUE)")
    sql("INSERT INTO odd_types (m, a, j, u) VALUES ('good', '{1,NULL}', '{\"a\": [1]}', NULL), ('bad', '{}', '1', 'x')")
    sql("CREATE TABLE computed (a INT, b INT GENERATED ALWAYS AS (a * 2) STORED)")
    sql("INSERT INTO computed (a) VALUES (4)")
    sql("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM customers")
    sql("CREATE SCHEMA side; CREATE TABLE side.thing (x INT REFERENCES customers (id))")
    sql("INSERT INTO side.thing VALUES (1)")
    sql("CREATE FUNCTION greet() RETURNS INT LANGUAGE plpgsql AS $$ BEGIN\nRETURN 3; -- COPY a (b) FROM stdin;\nEND $$")

    def content() -> dict[str, Any]:
        found = server.content(name)
        found["side"] = server.sql("SELECT * FROM side.thing", name)
        found["functions"] = server.sql(
            "SELECT proname, prosrc, proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " ORDER BY 1",
            name,
        )
        found["owners"] = server.sql(
            "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", name
        )
        found["grants"] = server.sql(
            "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relacl IS NOT NULL ORDER BY 1",
            name,
        )
        found["next"] = server.sql("SELECT last_value, is_called FROM odd_types_id_seq", name)
        return found

    try:
        yield Database("postgresql", login, sql, content)
    finally:
        server.drop_database(name)
