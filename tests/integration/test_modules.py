"""The modules as a playbook runs them: what they predict, what they change, what they show."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import sealed

from support.certificates import authority
from support.databases import PASSWORD, Database, sqlite_database
from support.externals import stripe_server
from support.misbehaving import misbehaving
from support.playbook import run_module
from support.sets import make_set


def db_backup(database: Database, root: Path, *extra: str, **options: Any) -> tuple[dict[str, Any], str]:
    return run_module("db_backup", {**database.options, "root": str(root), "app": "shop", **options}, *extra)


def db_restore(database: Database, root: Path, *extra: str, **options: Any) -> tuple[dict[str, Any], str]:
    return run_module("db_restore", {**database.options, "root": str(root), "app": "shop", **options}, *extra)


def test_a_backup_in_check_mode_predicts_and_makes_nothing(database, tmp_path):
    result, _ = db_backup(database, tmp_path / "b", "--check")
    assert result["changed"] is True and not result.get("failed")
    assert not (tmp_path / "b").exists()
    wrong = {**database.options, "database": database.options["database"] + "_not_there"}
    result, _ = run_module("db_backup", {**wrong, "root": str(tmp_path / "b"), "app": "shop"}, "--check")
    assert result["failed"] and "not_there" in result["msg"], "check mode finds what would stop the real run"


def test_a_backup_says_what_it_made(database, tmp_path):
    result, _ = db_backup(database, tmp_path / "b", label="nightly")
    made = result["backup_set"]
    assert result["changed"] is True
    assert (made["engine"], made["database"], made["verified"]) == (
        database.engine, database.options["database"], "archive",
    )  # fmt: skip
    assert next(rows for name, rows in made["tables"].items() if name.endswith("customers")) == 3
    assert made["size"] == sum(file.stat().st_size for file in Path(made["path"]).glob("database*"))
    assert "-nightly-" in made["id"] and made["position"] and made["duration"] >= 0

    listed, _ = run_module("db_backup_info", {"root": str(tmp_path / "b"), "app": "shop"})
    assert [one["id"] for one in listed["backup_sets"]] == [made["id"]] and listed["changed"] is False


def test_a_second_backup_is_made_only_when_something_was_written(database, tmp_path):
    first = db_backup(database, tmp_path / "b")[0]["backup_set"]["id"]
    again, _ = db_backup(database, tmp_path / "b", unchanged_since=first)
    assert (again["changed"], again["backup_set"]["id"]) == (False, first)
    database.sql("INSERT INTO customers VALUES (9, 'late', NULL)")
    assert db_backup(database, tmp_path / "b", "--check", unchanged_since=first)[0]["changed"] is True
    after, _ = db_backup(database, tmp_path / "b", unchanged_since=first)
    assert after["changed"] is True and after["backup_set"]["id"] > first
    assert db_backup(database, tmp_path / "b")[0]["changed"] is True, "without unchanged_since each run makes one"


def test_a_restore_in_check_mode_shows_the_difference_and_touches_nothing(database, tmp_path):
    db_backup(database, tmp_path / "b")
    database.sql("DELETE FROM customers WHERE id > 1")
    before = database.content()
    result, shown = db_restore(database, tmp_path / "b", "--check", "--diff", backup="latest")
    assert result["changed"] is True
    assert database.content() == before
    assert len(list((tmp_path / "b/shop").iterdir())) == 1, "no safety backup in check mode"
    lines = [line.strip() for line in shown.splitlines() if "customers: " in line]
    assert [line[0] for line in lines] == ["-", "+"] and "1 rows" in lines[0] and "3 rows" in lines[1]


def test_verify_only_changes_nothing_and_tells_the_level(database, tmp_path):
    made = db_backup(database, tmp_path / "b", verify="none")[0]["backup_set"]
    assert made["verified"] == "none"
    before = database.content()
    result, _ = db_restore(database, tmp_path / "b", backup=made["id"], verify_only=True)
    assert (result["changed"], result["backup_set"]["verified"]) == (False, "archive")
    assert database.content() == before


def test_a_dump_that_was_cut_before_it_was_packed_is_refused(database, tmp_path):
    """Its hashes are right and it decompresses to its end; only its content tells."""
    made = db_backup(database, tmp_path / "b", compression="none")[0]["backup_set"]
    cut_to_two_thirds(Path(made["path"]))
    before = database.content()
    result, _ = db_restore(database, tmp_path / "b", backup=made["id"])
    assert result["failed"] and not result["changed"]
    assert database.content() == before


def cut_to_two_thirds(folder: Path) -> None:
    """Shorten a set's data, and make its manifest agree."""
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = manifest["files"][0]
    data = (folder / entry["name"]).read_bytes()
    data = data[: len(data) * 2 // 3]
    (folder / entry["name"]).write_bytes(data)
    entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / "manifest.json").write_text(json.dumps(sealed(manifest)))


@pytest.mark.parametrize("database", ["mysql", "postgresql"], indirect=True)
def test_the_password_is_shown_nowhere_with_vvv(database, tmp_path):
    made, shown = db_backup(database, tmp_path / "b", "-vvv")
    _, restored = db_restore(database, tmp_path / "b", "-vvv", "--diff", backup="latest")
    wrong = {**database.options, "login_user": "nobody_here"}
    _, refused = run_module("db_backup", {**wrong, "root": str(tmp_path / "b"), "app": "shop"}, "-vvv")
    for text in (shown, restored, refused, str(made)):
        assert PASSWORD not in text and PASSWORD.replace("\\", "\\\\").replace('"', '\\"') not in text
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in shown


def test_a_restore_while_others_read_and_write(database, tmp_path):
    """The backup holds whole transactions: of two rows that are written together, both or none."""
    database.sql("CREATE TABLE pairs (a INTEGER, b INTEGER)")
    stop = threading.Event()
    written = []

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            database.sql(f"INSERT INTO pairs VALUES ({number}, 1), ({number}, 2)")
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = db_backup(database, tmp_path / "b")[0]["backup_set"]
    finally:
        stop.set()
        writer.join()
    held = next(rows for name, rows in made["tables"].items() if name.endswith("pairs"))
    assert 0 < held < 2 * len(written) and held % 2 == 0
    result, _ = db_restore(database, tmp_path / "b", backup="latest")
    assert not result.get("failed"), result["msg"]
    assert database.sql("SELECT COUNT(*), MAX(a) * 2 FROM pairs")[0] in [(held, held), (str(held), str(held))]


def test_options_that_go_wrong_are_refused(database, tmp_path):
    for options, said in (
        ({"compression_level": 99}, "compression_level 99 is not one of zstd's: 1 to 19"),
        ({"compression": "none", "compression_level": 1}, "does not go with compression 'none'"),
        ({"app": "../x"}, "app '../x' cannot be used"),
        ({"label": "a; rm -rf"}, "label 'a; rm -rf' cannot be used"),
        ({"engine": "oracle"}, "value of engine must be one of"),
    ):
        result, _ = db_backup(database, tmp_path / "b", **options)
        assert result["failed"] and said in result["msg"], result["msg"]
    assert not (tmp_path / "b").exists()


def test_a_probe_masks_its_secrets_in_all_that_is_shown(tmp_path):
    with misbehaving() as server:
        headers = {"Authorization": "Bearer s3cret'token\\x"}
        check = {"type": "http", "url": server.url("/echo"), "headers": headers, "login_pasword": "missp3lt"}
        result, shown = run_module("health_probe", {"checks": [check]}, "-vvv")
        assert result["failed"] and "did you mean 'login_password'?" in result["msg"]
        del check["login_pasword"]
        echoed, more = run_module("health_probe", {"checks": [check]}, "-vvv")
    assert echoed["failed"] and "expected status 200, got 500" in echoed["msg"]
    for text in (shown, more, str(result), str(echoed)):
        assert "s3cret" not in text and "missp3lt" not in text


@pytest.mark.parametrize(
    "wrong", [{"timout": 3}, {"timeout": "soon"}, {"checks": [{"type": "load", "login_password": "pw-of-shop"}, "x"]}]
)
def test_a_probe_whose_options_are_refused_shows_no_secret(wrong):
    arguments = {"checks": [{"type": "load", "login_password": "pw-of-shop"}], **wrong}
    result, shown = run_module("health_probe", arguments, "-vvv")
    assert result["failed"] and "not shown: they are not right" in shown
    assert "pw-of-shop" not in shown


@pytest.mark.parametrize("wrong", [{"timeout": "nan"}, {"interval": "inf"}, {"interval": 1e300}, {"successes": 0}])
def test_a_gate_that_could_never_end_is_refused(wrong):
    result, _ = run_module("health_probe", {"checks": [{"type": "load"}], **wrong})
    assert result["failed"] and "successes must be at least 1" in result["msg"]


def test_a_probe_says_why_it_keeps_nothing(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    arguments = {"checks": [{"type": "load", "ttl": 60}], "cache_dir": str(tmp_path / "cache"), "required": False}
    result, _ = run_module("health_probe", arguments)
    assert "others may write to it" in result["warnings"][0]
    assert not list((tmp_path / "cache").iterdir())


def test_a_probe_of_services_and_backups_works_on_a_target(tmp_path):
    with sqlite_database(tmp_path) as shop, stripe_server("sk_live_k3pt-s3cret") as stripe:
        make_set(shop, tmp_path / "b")
        checks = [
            {"type": "stripe", "url": stripe.url, "api_key": "sk_live_k3pt-s3cret", "livemode": True},
            {"type": "backup", "root": str(tmp_path / "b"), "app": "shop"},
            {"type": "dns", "domain": "localhost"},
            {"type": "certificate", "path": str(authority(tmp_path / "ca").pem)},
        ]
        result, shown = run_module("health_probe", {"checks": checks, "cache_dir": str(tmp_path / "cache")}, "-vvv")
        assert [one["status"] for one in result["results"]] == ["pass"] * 4, result
        assert [one["cache"] for one in result["results"]] == ["miss", "live", "live", "live"]
    assert "k3pt" not in shown + str(result)


def test_the_release_module_predicts_in_check_mode_and_is_idempotent(tmp_path):
    app = {"path": str(tmp_path / "srv")}
    result, _ = run_module("release", {**app, "state": "started"}, "--check")
    assert result["changed"] and not (tmp_path / "srv").exists()
    started = run_module("release", {**app, "state": "started"})[0]["release"]
    linked = {**app, "state": "linked", "release": started["id"], "revision": "abc", "shared_dirs": ["storage"]}
    assert [run_module("release", linked)[0]["changed"] for _ in range(2)] == [True, False]
    active = {**app, "state": "active", "release": started["id"]}
    predicted, shown = run_module("release", active, "--check", "--diff")
    assert predicted["changed"] and f"+current: {started['id']}" in shown.replace("+ ", "+")
    assert not (tmp_path / "srv/current").exists()
    assert [run_module("release", active)[0]["changed"] for _ in range(2)] == [True, False]
    refused, _ = run_module("release", {**app, "state": "absent", "release": started["id"]})
    assert refused["failed"] and "is live and cannot be removed" in refused["msg"]
    missing, _ = run_module("release", {**app, "state": "active"})
    assert missing["failed"] and "release" in missing["msg"]
