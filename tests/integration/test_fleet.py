"""More than one host: what fails on one is undone on all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.plain import LOCAL, PlainApp
from support.playbook import Ended, run_playbook


@pytest.fixture
def fleet(tmp_path: Path) -> list[PlainApp]:
    """Two places on this machine that share code and database."""
    first = PlainApp.make(tmp_path)
    second = PlainApp(first.source, tmp_path / "srv2")
    second.path.mkdir()
    return [first, second]


def deploy(fleet: list[PlainApp], playbook: str = "deploy.yml", *extra: str, **more: Any) -> Ended:
    checks = [{"name": "app", "type": "command", "command": "grep -q good {{ deploy_path }}/current/HEALTH"}]
    own = [{"deploy_path": str(app.path), **LOCAL} for app in fleet]
    hosts = {f"web{number}": host for number, host in enumerate(own, 1)}
    shared = {name: value for name, value in fleet[0].variables().items() if name != "deploy_path"}
    return run_playbook(playbook, hosts, {**shared, "deploy_health_checks": checks, **more}, *extra)


def lives(fleet: list[PlainApp]) -> list[str | None]:
    return [app.live for app in fleet]


def test_all_hosts_go_live_and_the_migration_runs_once(fleet):
    assert deploy(fleet).rc == 0
    fleet[0].version("2", migration="INSERT INTO t VALUES ('once');")
    ended = deploy(fleet)
    assert ended.rc == 0, ended.output
    assert lives(fleet) == ["2", "2"]
    assert fleet[0].rows == ["kept", "once"]


@pytest.mark.parametrize("sick", [1, 2])
def test_one_sick_host_takes_all_back(fleet, sick):
    assert deploy(fleet).rc == 0
    before = [app.releases for app in fleet]
    fleet[0].version("2", migration="DELETE FROM t; INSERT INTO t VALUES ('half');")
    spoil = f"bash -c 'if [ {{{{ inventory_hostname }}}} = web{sick} ]; then echo bad > HEALTH; fi'"
    ended = deploy(fleet, deploy_build_commands=[spoil])
    assert ended.rc != 0
    assert lives(fleet) == ["1", "1"], ended.output
    assert fleet[0].rows == ["kept"]
    assert [app.releases for app in fleet] == before
    for number, app in enumerate(fleet, 1):
        assert f"plain on web{number}: FAILED at" in " ".join(ended.output.split())
        assert not (app.path / ".holdfast/journal.json").exists()


@pytest.mark.parametrize("stage", ["build", "lock"])
def test_a_host_that_fails_before_anything_is_live_stops_all(fleet, stage):
    assert deploy(fleet).rc == 0
    before = [app.releases for app in fleet]
    fleet[0].version("2")
    more: dict[str, Any] = {}
    if stage == "build":
        more["deploy_build_commands"] = ["bash -c 'test {{ inventory_hostname }} != web2'"]
    else:
        (fleet[1].path / ".holdfast/journal.json").write_text("{ this is no journal")
    ended = deploy(fleet, **more)
    assert ended.rc != 0
    assert lives(fleet) == ["1", "1"]
    assert [app.releases for app in fleet] == before
    assert not (fleet[0].path / ".holdfast/journal.json").exists(), ended.output


def test_rollback_takes_all_back(fleet):
    assert deploy(fleet).rc == 0
    fleet[0].version("2")
    assert deploy(fleet).rc == 0
    ended = deploy(fleet, "rollback.yml")
    assert ended.rc == 0, ended.output
    assert lives(fleet) == ["1", "1"]


def test_a_host_that_joins_later_catches_up(fleet):
    assert deploy(fleet[:1]).rc == 0
    fleet[0].version("2")
    ended = deploy(fleet)
    assert ended.rc == 0, ended.output
    assert lives(fleet) == ["2", "2"]


def test_an_undo_that_fails_on_one_host_does_not_keep_the_other_from_its_own(fleet, tmp_path):
    assert deploy(fleet).rc == 0
    fleet[0].version("2", migration="DELETE FROM t;")
    broken = tmp_path / "broken"
    broken.touch()
    reload = {"deploy_activated_commands": [f"bash -c '[ {{{{ inventory_hostname }}}} = web1 ] || [ ! -e {broken} ]'"]}
    ended = deploy(fleet, **reload)
    said = " ".join(ended.output.split())
    assert ended.rc != 0
    assert "plain on web2: FAILED at Processes | Reload the application server" in said, ended.output
    assert "THE UNDO FAILED at Processes | Reload the application server" in said
    assert "plain on web1: FAILED at another host" in said or "plain on web1: FAILED at Processes" in said
    assert lives(fleet) == ["1", "1"] and fleet[0].rows == ["kept"]
    assert [(app.path / ".holdfast/journal.json").exists() for app in fleet] == [False, True]

    broken.unlink()
    back = deploy(fleet, "rollback.yml", **reload)
    assert back.rc == 0, back.output
    assert "plain on web2: an unfinished deploy was undone" in " ".join(back.output.split())
    assert lives(fleet) == ["1", "1"], "nobody goes back further than to the start of the deploy"
    assert not (fleet[1].path / ".holdfast/journal.json").exists()
