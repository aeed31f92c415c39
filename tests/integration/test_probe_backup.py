"""The check of backups, over sets that were really made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.verify import verify_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round

from support.databases import Database, sqlite_database
from support.sets import engine_of, make_set

HOUR = 1 / 24


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as one:
        yield one


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def seen(root: Path, **options: Any) -> Result:
    return run_round(parse([{"type": "backup", "root": str(root), "app": "shop", **options}]))[0]


def note_copy(backup: BackupSet) -> None:
    backup.with_offsite({"bucket": "far-away", "path": f"shop/{backup.id}", "at": "2026-01-01T00:00:00+00:00"})


def test_no_backup_at_all(root, shop):
    result = seen(root)
    assert (result.status, result.verdict) == ("fail", "missing")
    assert result.output == f"there is no whole backup of shop in {root}"
    make_set(shop, root, label="safety")
    assert seen(root).verdict == "missing", "what a restore replaced is no backup"


@pytest.mark.parametrize(("hours", "status"), [(0, "pass"), (25, "pass"), (27, "warn"), (51, "fail")])
def test_the_age_of_the_newest_backup(root, shop, hours, status):
    made = make_set(shop, root, days=hours * HOUR)
    make_set(shop, root, days=200 * HOUR)
    make_set(shop, root, label="safety")
    result = seen(root)
    assert (result.status, result.name) == (status, "backup of shop")
    assert hours <= result.values["age_h"] < hours + 0.1
    assert f"{made.id}, " in result.output
    assert (
        seen(root, warn={"age_h": 300, "verified_age_h": 300}, fail={"age_h": 400, "verified_age_h": 400}).status
        == "pass"
    )


def test_how_far_it_was_verified(root, shop):
    make_set(shop, root, verify="checksum")
    low = seen(root)
    assert (low.status, low.verdict) == ("fail", "unverified")
    assert low.output.startswith("no backup is verified at archive or further (")
    assert seen(root, verify="checksum").status == "pass"
    old = make_set(shop, root, days=60 * HOUR)
    aged = seen(root)
    assert aged.status == "fail"
    assert "verified_age_h is 60" in aged.output
    assert aged.values["age_h"] < 1, "the newest one is young, but not verified as far"
    old.with_verified(verify_set(old, engine_of(shop), "rehearse"))
    assert round(seen(root, verify="rehearse").values["verified_age_h"]) == 60


def test_the_copy_elsewhere(root, shop):
    note_copy(make_set(shop, root, days=30 * HOUR))
    newest = make_set(shop, root)
    lacking = seen(root, offsite=True)
    assert (lacking.status, lacking.verdict) == ("fail", "not_offsite")
    assert round(lacking.values["offsite_age_h"]) == 30
    assert seen(root).status == "pass"
    assert seen(root, fail={"offsite_age_h": 26}).status == "fail"
    note_copy(newest)
    assert seen(root, offsite=True).status == "pass"


def test_a_set_that_is_not_whole_is_told_and_does_not_count(root, shop):
    old = make_set(shop, root, days=5 * HOUR)
    torn = make_set(shop, root)
    os.truncate(torn.data_file(), 5)
    result = seen(root)
    assert (result.status, result.verdict) == ("warn", "damaged")
    assert f"The backup {torn.id} is not whole" in result.output
    assert round(result.values["age_h"]) == 5
    (old.path / "manifest.json").write_text("{}")
    assert seen(root).output.startswith(f"there is no whole backup of shop in {root}: The manifest of {old.path}")


def test_a_backup_that_shrank(root, shop):
    shop.sql("CREATE TABLE noise AS SELECT randomblob(200000) AS x")
    make_set(shop, root, days=24 * HOUR)
    assert "size_ratio" not in seen(root).values
    shop.sql("DROP TABLE noise")
    make_set(shop, root)
    result = seen(root, warn={"size_ratio": 0.5})
    assert result.status == "warn"
    assert 0 < result.values["size_ratio"] < 0.1


def test_a_folder_that_is_none(root, shop):
    root.mkdir()
    (root / "shop").write_text("not a folder")
    assert "Cannot read" in seen(root).output
    assert "cannot be used" in seen(root, app="../etc").output


def test_it_only_reads(root, shop):
    make_set(shop, root)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in root.rglob("*"))
    assert seen(root).status == "pass"
    assert sorted((path.name, path.stat().st_mtime_ns) for path in root.rglob("*")) == before
    shutil.rmtree(root)
    assert seen(root).verdict == "missing"
