"""A large table is loaded by several clients at once, and comes back as it was, or the first error is told."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import find_source, restore
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import sealed
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import HoldfastError

from support.databases import Database
from support.processes import wait_until
from support.sets import engine_of, make_set

pytestmark = pytest.mark.parametrize("database", ["mysql"], indirect=True)
ROWS = 60_000


def fill(database: Database) -> None:
    """A table of about 14 MB with a trigger that would change its rows, and one that has no order of its own."""
    text = "'it''s \\\\ ;\n; INSERT INTO `x` VALUES (1);\n', '),(', REPEAT('é', 40), "
    for name, key in (("large", "PRIMARY KEY"), ("unordered", "")):
        database.sql(f"CREATE TABLE {name} (id INT {key}, at TIMESTAMP NULL, note TEXT, other INT)")
        database.sql(
            f"INSERT INTO {name} SELECT seq, FROM_UNIXTIME(1700000000 + seq), CONCAT({text}seq), NULL"
            f" FROM seq_1_to_{ROWS} ORDER BY seq * 7919 % {ROWS}"
        )
    database.sql("CREATE TRIGGER marks BEFORE INSERT ON large FOR EACH ROW SET NEW.other = 1")


def put_back(database: Database, root: Path) -> None:
    engine = engine_of(database)
    restore(engine, find_source(root, "shop", "latest", engine), verify="checksum", safety=None)


def state(database: Database) -> list[object]:
    tables = [database.sql(f"CHECKSUM TABLE {name}")[0][1] for name in ("large", "unordered")]
    triggers = database.sql(
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1"
    )
    return [*tables, list(triggers)]


def test_large_tables_come_back(database, tmp_path):
    fill(database)
    before = state(database)
    made = make_set(database, tmp_path / "b")
    assert made.manifest.content.tables["large"].rows == ROWS
    database.sql("DELETE FROM large WHERE id > 10")
    database.sql("DROP TABLE unordered")
    put_back(database, tmp_path / "b")
    assert state(database) == before


def test_a_row_that_the_server_refuses_is_told_of_and_no_client_stays(database, tmp_path, request):
    fill(database)
    made = make_set(database, tmp_path / "b", compression="gzip")
    raw = gzip.decompress(made.data_file().read_bytes())
    place = raw.index(b"(59000,", raw.index(b"INSERT INTO `large`"))
    packed = gzip.compress(raw[:place] + b"(58999," + raw[place + 7 :])
    made.data_file().write_bytes(packed)
    manifest = json.loads((made.path / "manifest.json").read_text())
    manifest["files"][0] |= {"size": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
    (made.path / "manifest.json").write_text(json.dumps(sealed(manifest)))
    with pytest.raises(HoldfastError, match="Duplicate entry '58999' for key 'PRIMARY'"):
        put_back(database, tmp_path / "b")
    server = request.getfixturevalue("mariadb_server")
    name = database.login["database"]
    wait_until(lambda: not [row for row in server.sql("SHOW PROCESSLIST") if row[3] == name], "the clients are gone")
