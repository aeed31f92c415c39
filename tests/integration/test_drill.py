"""A drill says whether the newest backup can be brought back, whole and in time, and leaves nothing but its report."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from support.b2 import B2, b2_server
from support.databases import Database, sqlite_database
from support.plain import LOCAL, PlainApp
from support.playbook import Ended, run_module, run_playbook
from support.sets import forge, make_set, scratch_databases

KEY = {"b2_bucket": "off-site", "b2_key_id": "key-id", "b2_application_key": "application-key"}


@pytest.fixture
def b2():
    with b2_server() as server:
        yield server


def store(b2: B2, root: Path) -> None:
    options = {"root": str(root), "app": "shop", "b2_realm": b2.url, **KEY}
    assert run_module("db_backup_offsite", options)[0]["changed"]


def drill(b2: B2, database: Database, folder: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """Drill on a machine that has nothing of the backups; returns the result and the page's text."""
    where = {"root": str(folder / "drill"), "report_dir": str(folder / "reports"), "app": "shop", "b2_realm": b2.url}
    result, output = run_module("db_restore_drill", {**database.options, **where, **KEY, **options})
    assert "application-key" not in output
    page = folder / "reports/shop-latest.html"
    return result, text_of(page.read_text()) if page.exists() else ""


def text_of(page: str) -> str:
    """What a person reads of a page; fails for one that needs anything from elsewhere."""
    assert "http" not in page and "src=" not in page
    words: list[str] = []
    parser = HTMLParser()
    parser.handle_data = words.append  # type: ignore[method-assign]
    parser.feed(page.split("</style>")[1])
    return " ".join(" ".join(words).split())


def test_a_drill_proves_that_the_copy_comes_back(able, b2, tmp_path, request):
    made = make_set(able, tmp_path / "b")
    store(b2, tmp_path / "b")
    before = able.content()
    result, page = drill(b2, able, tmp_path, rpo="1h", rto="10m")
    assert not result.get("failed"), result
    report = result["report"]
    assert report["verdict"] == "passed" and report["backup"] == made.id and report["failures"] == []
    assert 0 < report["age"] < 3600 and report["fetch"] > 0 and report["restore"] > 0
    assert report["rows"] == sum(table.rows for table in made.manifest.content.tables.values())
    assert "The restore drill of shop passed" in result["msg"]
    assert json.loads((tmp_path / "reports/shop-latest.json").read_text()) == report
    assert "Restore drill of shop passed" in page and made.id in page and "of 10 min" in page
    assert able.content() == before
    assert scratch_databases(able, tmp_path / "b", request) == []
    assert [path for path in (tmp_path / "drill").rglob("*") if path.is_file()] == []


@pytest.fixture
def sqlite(tmp_path):
    """One engine is enough for what does not hang on it."""
    with sqlite_database(tmp_path) as one:
        yield one


def test_a_set_that_is_too_old_or_too_slow_fails_the_drill(sqlite, b2, tmp_path):
    make_set(sqlite, tmp_path / "b", days=3)
    store(b2, tmp_path / "b")
    b2.fail("download", None, 2.0)
    result, page = drill(b2, sqlite, tmp_path, rpo="26h", rto="1s")
    assert result["failed"]
    assert "The newest backup is 3 d old, and 1 d 2 h is the most that may be lost." in result["msg"]
    assert "and 1.0 s is allowed" in result["msg"] and "shop-2" in result["msg"]
    assert result["report"]["verdict"] == "failed" and result["report"]["restore"] > 0
    assert "Restore drill of shop failed" in page and "3 d old" in page
    assert not drill(b2, sqlite, tmp_path)[0].get("failed"), "without targets it is good"
    assert len(list((tmp_path / "reports").glob("shop-2*.json"))) == 2


def test_a_copy_that_is_not_equal_or_not_there_fails_the_drill(sqlite, b2, tmp_path):
    missing, page = drill(b2, sqlite, tmp_path)
    assert missing["failed"] and "There is no complete copy of the backup 'latest'" in missing["msg"]
    assert missing["report"]["backup"] is None and "the drill did not get so far" in page
    made = make_set(sqlite, tmp_path / "b", compression="gzip")
    forge(made, b"Ada", b"Eve")
    store(b2, tmp_path / "b")
    unequal, page = drill(b2, sqlite, tmp_path)
    assert unequal["failed"] and "customers has the right number of rows (3) but not the same content" in unequal["msg"]
    assert "not the same content" in page
    b2.capabilities = []
    refused, page = drill(b2, sqlite, tmp_path)
    assert refused["failed"] and "lacks the capabilities" in refused["msg"] and "lacks the capabilities" in page
    assert [path for path in (tmp_path / "drill").rglob("*") if path.is_file()] == []


def test_the_playbook_drills_several_applications_and_fails_for_one(b2, tmp_path):
    app = PlainApp.make(tmp_path)
    offsite = {f"deploy_offsite_{name.removeprefix('b2_')}": value for name, value in KEY.items()}
    variables = app.variables(**offsite, deploy_offsite_realm=b2.url)

    def play(playbook: str, **more: Any) -> Ended:
        return run_playbook(playbook, {"web1": LOCAL}, {**variables, **more})

    assert play("backup.yml").rc == 0
    shutil.rmtree(app.path / "backups")
    done = play("restore_drill.yml")
    assert done.rc == 0 and "The restore drill of plain passed" in done.last(), done.output
    assert (app.path / "drills/plain-latest.html").exists()
    failed = play("restore_drill.yml", deploy_drill_applications=[{"app": "other"}, {}])
    assert failed.rc != 0, failed.output
    shown = " ".join(failed.output.split())
    assert "The restore drill of other FAILED: There is no complete copy" in shown
    assert "The restore drill of plain passed" in shown
    assert "application-key" not in failed.output
    local = play("restore_drill.yml", deploy_offsite_bucket="")
    assert local.rc != 0 and "There is no backup 'latest'" in " ".join(local.output.split()), local.output
