"""A place that another tool deployed to is taken over: its live release is what a failed deploy goes back to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.plain import LOCAL, PlainApp
from support.playbook import run_playbook

THEIRS = "20240101120000"  # as Capistrano and Ansistrano name releases


@pytest.fixture
def app(tmp_path: Path) -> PlainApp:
    app = PlainApp.make(tmp_path)
    for name in ("20231231120000", THEIRS):
        shutil.copytree(app.source, app.path / "releases" / name)
    (app.path / "current").symlink_to(app.path / "releases" / THEIRS)
    app.version("2", migration="DELETE FROM t;")
    return app


def test_a_deploy_that_fails_goes_back_to_it(app):
    app.version("2", healthy=False, migration="DELETE FROM t;")
    ended = app.deploy()
    assert ended.rc != 0
    assert f"NOW: release {THEIRS} is live; database restored" in ended.last(), ended.output
    assert app.live == "1" and app.rows == ["kept"]
    assert app.releases == ["20231231120000", THEIRS]


def test_a_rollback_goes_back_to_it(app):
    assert app.deploy().rc == 0
    assert app.live == "2"
    ended = run_playbook("rollback.yml", {"web1": LOCAL}, app.variables(rollback_restore_point="recorded"))
    assert ended.rc == 0, ended.output
    assert app.live == "1" and app.rows == ["kept"]
    assert "20231231120000" in app.releases, "what was never ours is left alone"


@pytest.mark.parametrize("check", [False, True])
def test_a_live_release_there_is_no_way_back_to_is_told_beforehand(app, check):
    elsewhere = app.path / "elsewhere"
    (app.path / "releases" / THEIRS).rename(elsewhere)
    (app.path / "current").unlink()
    (app.path / "current").symlink_to("elsewhere")
    ended = app.deploy(*(["--check"] if check else []))
    assert ended.rc != 0
    assert f"points to {elsewhere}, which is not in" in ended.last(), ended.output
    assert app.live == "1"
    assert not (app.path / ".holdfast").exists(), "nothing was touched"
