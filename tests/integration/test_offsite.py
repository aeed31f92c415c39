"""Copies in a bucket, by Backblaze's own library over HTTP against a server that misbehaves."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.offsite.b2 import WRITE, B2Store, Target
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.offsite.copies import Copies

from support.b2 import B2, PART_SIZE, b2_server
from support.databases import sqlite_content, sqlite_database
from support.killed import killed_at
from support.plain import LOCAL, PlainApp
from support.playbook import run_module, run_playbook
from support.sets import make_set

KEY = {"b2_bucket": "off-site", "b2_key_id": "key-id", "b2_application_key": "application-key"}


@pytest.fixture
def b2():
    with b2_server() as server:
        yield server


@pytest.fixture
def database(tmp_path):
    with sqlite_database(tmp_path) as one:
        one.sql("CREATE TABLE big (data BLOB)")
        one.sql(f"INSERT INTO big VALUES (x'{os.urandom(4 * PART_SIZE).hex()}')")
        yield one


class Shop:
    """The application's sets, and what its operator does with them."""

    def __init__(self, b2: B2, database: Any, root: Path) -> None:
        self.b2, self.database, self.root = b2, database, root

    def offsite(self, state: str, *extra: str, **options: Any) -> dict[str, Any]:
        options = {"app": "shop", "root": str(self.root), "b2_realm": self.b2.url, **KEY, **options}
        result, output = run_module("db_backup_offsite", {"state": state, **options}, *extra)
        assert "application-key" not in output
        return result

    def backup(self) -> BackupSet:
        return make_set(self.database, self.root, compression="none")

    def in_the_bucket(self) -> list[str]:
        return sorted(self.b2.visible())


@pytest.fixture
def shop(b2, database, tmp_path):
    return Shop(b2, database, tmp_path / "b")


def test_a_set_goes_there_and_comes_back_after_the_machine_is_lost(shop, tmp_path):
    made = shop.backup()
    predicted = shop.offsite("present", "--check")
    assert predicted["changed"] and shop.in_the_bucket() == []
    sent = shop.offsite("present", b2_prefix="servers/one", retention_days=30)
    assert sent["changed"] and sent["files"] == predicted["files"]
    assert sent["files"][-1] == "manifest.json"
    assert sent["backup_set"]["offsite"]["path"] == f"servers/one/shop/{made.id}"
    for name in shop.in_the_bucket():
        assert name.startswith(f"servers/one/shop/{made.id}/")
    for file in shop.b2.visible().values():
        assert file.encryption["mode"] == "SSE-B2"
        assert file.retention["mode"] == "governance" and file.locked
    assert "b2_upload_part" in shop.b2.calls
    again = shop.offsite("present", b2_prefix="servers/one", retention_days=30)
    assert not again["changed"] and again["files"] == []

    listed = shop.offsite("listed", b2_prefix="servers/one")["copies"]
    assert [(one["id"], one["complete"], one["label"], one["verified"]) for one in listed] == [
        (made.id, True, "nightly", "archive")
    ]
    before = shop.database.content()
    elsewhere = tmp_path / "another machine"
    wanted = {"root": str(elsewhere), "b2_prefix": "servers/one"}
    assert shop.offsite("fetched", "--check", **wanted)["changed"] and not elsewhere.exists()
    fetched = shop.offsite("fetched", **wanted)
    assert fetched["changed"] and fetched["backup_set"]["id"] == made.id
    assert fetched["backup_set"]["verified"] == "archive"
    assert (Path(fetched["backup_set"]["path"]) / "manifest.json").stat().st_mode & 0o777 == 0o600
    assert not shop.offsite("fetched", **wanted)["changed"]
    target = tmp_path / "restored.sqlite"
    options = {"engine": "sqlite", "database": str(target), "root": str(elsewhere), "app": "shop", "backup": made.id}
    target.touch()
    result, output = run_module("db_restore", options)
    assert result["changed"], output
    assert sqlite_content(target) == before


def test_a_storm_passes(shop):
    made = shop.backup()
    busy = (429, "too_many_requests", {"Retry-After": "1"})
    away = (503, "service_unavailable", {"Retry-After": "1"})
    shop.b2.fail("b2_upload_part", away, "cut", "expire", busy)
    shop.b2.fail("b2_upload_file", busy, "cut", (503, "service_unavailable", {}))
    shop.b2.fail("b2_get_upload_url", away)
    shop.b2.fail("b2_list_file_versions", busy, "expire")
    shop.b2.fail("b2_start_large_file", away)
    shop.b2.fail("b2_finish_large_file", (503, "service_unavailable", {}))
    assert shop.offsite("present")["changed"]
    shop.b2.fail("download", away, "cut", "expire")
    fetched = shop.offsite("fetched", root=str(shop.root.parent / "other"))
    assert fetched["backup_set"]["id"] == made.id
    assert not any(shop.b2.faults.values()), "every fault was met"


def test_what_was_sent_before_a_cap_is_not_sent_again(shop):
    shop.backup()
    shop.b2.fail("b2_upload_part", None, None, *[(403, "storage_cap_exceeded", {})] * 20)
    failed = shop.offsite("present")
    assert "a cap of the B2 account is reached" in failed["msg"]
    assert shop.in_the_bucket() == [] or all("manifest" not in name for name in shop.in_the_bucket())
    listed = shop.offsite("listed")["copies"]
    assert not any(one["complete"] for one in listed)
    there = sum(len(one.parts) for one in shop.b2.files)
    assert there >= 1
    shop.b2.faults.clear()
    shop.b2.calls.clear()
    assert shop.offsite("present")["changed"]
    parts = -(-sum(len(one.data) for one in shop.b2.visible().values() if one.name.endswith(".sqlite")) // PART_SIZE)
    assert shop.b2.calls.count("b2_upload_part") <= parts - there
    assert shop.offsite("listed")["copies"][0]["complete"]


def test_a_copy_that_was_damaged_is_not_taken_for_the_set(shop, tmp_path):
    shop.backup()
    shop.offsite("present")
    other = tmp_path / "other"
    shop.b2.fail("download", None, "flip")
    failed = shop.offsite("fetched", root=str(other))
    assert "is damaged: database.sqlite is not what was written (SHA-256)" in failed["msg"]
    assert list((other / "shop").iterdir()) == []
    shop.b2.faults.clear()
    for file in list(shop.b2.files):
        if file.name.endswith(".sqlite"):
            shop.b2.files.remove(file)
    assert not shop.offsite("listed")["copies"][0]["complete"]
    assert "Not complete:" in shop.offsite("fetched", root=str(other))["msg"]
    mended = shop.offsite("present")
    assert mended["changed"] and len(mended["files"]) == 1
    assert shop.offsite("fetched", root=str(other))["changed"]


def test_a_damaged_set_is_not_sent_and_a_fetched_one_replaces_it(shop):
    made = shop.backup()
    shop.offsite("present")
    data = next(Path(made.path).glob("data*"))
    content = data.read_bytes()
    data.write_bytes(content[:-1] + b"?")
    assert "is damaged" in shop.offsite("present")["msg"]
    assert shop.offsite("fetched")["changed"]
    assert data.read_bytes() == content
    assert [entry.name for entry in shop.root.joinpath("shop").iterdir()] == [made.id]


def test_what_the_key_lacks_is_named(shop):
    shop.backup()
    shop.b2.capabilities = ["listBuckets", "listFiles"]
    failed = shop.offsite("present", retention_days=3, legal_hold=True)
    for capability in ("writeFiles", "writeFileRetentions", "writeFileLegalHolds"):
        assert capability in failed["msg"]
    assert "b2 key create --bucket off-site" in failed["msg"]
    assert "does not accept the key" in shop.offsite("listed", b2_application_key="wrong")["msg"]
    shop.b2.capabilities.append("readFiles")
    assert "There is no bucket elsewhere" in shop.offsite("listed", b2_bucket="elsewhere")["msg"]
    assert "no complete copy" in shop.offsite("fetched")["msg"]
    assert shop.b2.files == []


def aged(shop: Shop, days: float) -> str:
    """A set made so long ago, and its copy."""
    made = make_set(shop.database, shop.root, days, compression="none")
    shop.offsite("present", backup=made.id)
    return made.id


def test_old_copies_go_by_their_own_policy(shop):
    old, middle, newest = aged(shop, 40), aged(shop, 20), aged(shop, 1)
    hidden = next(name for name in shop.in_the_bucket() if newest in name and "manifest" in name)
    shop.b2.store(hidden, "hide", {})
    abandoned = shop.b2.store(f"shop/{newest}/part", "start", {})
    abandoned.time -= 2 * 86400 * 1000
    going_on = shop.b2.store("shop/20300101T000000.000000Z-manual-000000/part", "start", {})
    assert shop.offsite("fetched", backup=newest)["backup"] == newest, "hiding does not make it disappear"

    predicted = shop.offsite("pruned", "--check", "--diff", keep_within="25d")
    done = shop.offsite("pruned", keep_within="25d")
    for result in (predicted, done):
        assert result["changed"] and result["removed"] == [old] and result["cleaned"] == 2
        assert result["kept"][middle] == ["within 25d"]
    assert old in predicted["diff"]["before"] and old not in predicted["diff"]["after"]
    assert [one.name for one in shop.b2.files if old in one.name] == []
    assert hidden in shop.in_the_bucket()
    assert abandoned not in shop.b2.files and going_on in shop.b2.files
    assert not shop.offsite("pruned", keep_within="25d")["changed"]
    assert {path.name for path in (shop.root / "shop").iterdir()} == {old, middle, newest}, "local sets have their own"


def test_a_locked_copy_stays(shop):
    old = aged(shop, 40)
    aged(shop, 1)
    for file in shop.b2.files:
        if old in file.name:
            file.legal_hold = "on"
    done = shop.offsite("pruned", keep_within="1d")
    assert not done["changed"] and done["kept"][old] == ["locked"]
    assert any(old in name for name in shop.in_the_bucket())


def test_an_upload_keeps_to_its_bandwidth(shop):
    shop.backup()
    started = time.monotonic()
    shop.offsite("present", bandwidth="200K")
    assert time.monotonic() - started >= 4 * PART_SIZE / (200 * 1024) * 0.9
    assert "bandwidth 'much' is not a size" in shop.offsite("present", bandwidth="much")["msg"]


def test_the_playbooks_copy_and_restore_from_the_copy(b2, tmp_path):
    app = PlainApp.make(tmp_path)
    offsite = {
        "deploy_offsite_bucket": "off-site",
        "deploy_offsite_key_id": "key-id",
        "deploy_offsite_application_key": "application-key",
        "deploy_offsite_realm": b2.url,
        "deploy_offsite_keep": {"keep_daily": 2},
    }
    assert app.deploy().rc == 0
    variables = app.variables(**offsite)
    predicted = run_playbook("backup.yml", {"web1": LOCAL}, variables, "--check", "--diff")
    assert predicted.rc == 0 and not b2.files, predicted.output
    made = run_playbook("backup.yml", {"web1": LOCAL}, variables)
    assert made.rc == 0 and "off-site: yes, in off-site" in made.last(), made.output
    assert "application-key" not in made.output
    assert any(name.endswith("/manifest.json") for name in b2.visible())

    shutil.rmtree(app.path / "backups")
    app.database.unlink()
    app.database.touch()
    done = run_playbook(
        "restore.yml", {"web1": LOCAL}, {**variables, "restore_offsite": True, "restore_backup": "latest"}
    )
    assert done.rc == 0, done.output
    assert app.rows == ["kept"]
    b2.capabilities = []
    failed = run_playbook("backup.yml", {"web1": LOCAL}, variables)
    assert failed.rc != 0 and "lacks the capabilities" in failed.last(), failed.output


@pytest.mark.parametrize("point", ["upload: data sent", "upload: manifest sent"])
def test_an_upload_that_is_killed_counts_only_when_the_manifest_is_there_and_the_next_one_ends_it(shop, point):
    made = shop.backup()
    target = Target(KEY["b2_bucket"], KEY["b2_key_id"], KEY["b2_application_key"], shop.b2.url)
    assert killed_at(point, lambda: Copies(B2Store(target, WRITE), "", "shop").upload(made))
    there = [one["id"] for one in shop.offsite("listed")["copies"] if one["complete"]]
    assert there == ([made.id] if point == "upload: manifest sent" else [])
    done = shop.offsite("present")
    assert done["changed"] == (point == "upload: data sent") and done["backup_set"]["offsite"]["bucket"] == "off-site"
    assert [one["complete"] for one in shop.offsite("listed")["copies"]] == [True]
