"""A real Laravel application is deployed over SSH on each database; nothing that fails changes anything."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.laravel import ADDS_DATA, BREAKS_HALFWAY
from support.playbook import Ended, playbook_running, run_playbook
from support.processes import wait_until
from support.site import PASSWORD, Site, laravel_site
from support.sshd import Sshd
from support.watcher import LeakWatcher, files_with


@pytest.fixture(params=["sqlite", "mysql", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, ssh_server: Sshd) -> Iterator[Site]:
    with laravel_site(request.param, request, tmp_path, ssh_server) as one:
        yield one


def first_deploy(site: Site) -> None:
    ended = site.deploy()
    assert ended.rc == 0, ended.output
    assert site.live["version"] == "1"
    for customer in ("Ada", "O'Brien", "Zoë 😀", "林"):
        site.wait_for_worker(site.order(customer), "1")


def assert_rolled_back(site: Site, ended: Ended, before: dict[str, Any], live: dict[str, Any], failed_at: str) -> None:
    """Everything is as it was, and the play says what failed and where things stand."""
    assert ended.rc != 0
    assert site.live == live
    assert site.rows() == before
    assert not site.in_maintenance()
    assert site.releases() == [live["release"]], "the failed release is gone"
    assert not (site.path / ".holdfast/journal.json").exists()
    said = ended.last()
    assert "FAILED at " + failed_at in said
    assert f"NOW: release {live['release']} is live" in said
    order = site.order("after the rollback")
    site.wait_for_worker(order, live["version"])


def test_a_release_goes_live_and_another_with_a_migration(site):
    first_deploy(site)
    commit = site.source.release("2", migration=ADDS_DATA)
    ended = site.deploy()
    assert ended.rc == 0, ended.output
    assert site.live["version"] == "2"
    orders = site.web.get("/orders")[1]
    assert [order["customer"] for order in orders] == ["Ada", "O'Brien", "Zoë 😀", "林", "from the migration"]
    assert {order["currency"] for order in orders} == {"EUR"}
    assert (site.path / "current/REVISION").read_text() == commit + "\n"
    assert not site.in_maintenance()
    site.wait_for_worker(site.order("new"), "2")

    back = site.play("rollback.yml", rollback_restore_point="recorded")
    assert back.rc == 0, back.output
    assert site.live["version"] == "1"
    assert "currency" not in site.web.get("/orders")[1][0], "the database went back too"
    site.wait_for_worker(site.order("again"), "1")

    forward = site.play("rollback.yml", rollback_to=sorted(site.releases())[-1])
    assert forward.rc == 0, forward.output
    assert site.live["version"] == "2", "a named release is found"


def test_a_migration_that_breaks_halfway_is_undone(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", migration=BREAKS_HALFWAY)
    ended = site.deploy()
    assert "broken on purpose" in ended.last()
    assert "database restored from" in ended.last()
    assert_rolled_back(site, ended, before, live, "Change | Migrate")


def test_a_release_that_is_sick_after_the_switch_is_undone(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", migration=ADDS_DATA, healthy=False)
    assert_rolled_back(site, site.deploy(), before, live, "Health | Ask until it is well")


def test_a_first_release_that_is_sick_is_taken_off(site):
    site.source.release("1", healthy=False)
    ended = site.deploy()
    assert ended.rc != 0
    assert "NOW: no release is live, as before; database restored from" in ended.last(), ended.output
    assert "its workers are stopped" in ended.last()
    assert not (site.path / "current").is_symlink()
    assert site.releases() == []
    assert site.rows() in ({}, {"made": []}), "the database is as empty as before"
    config = site.variables["deploy_supervisor_config"]
    status = subprocess.run(["supervisorctl", "-c", config, "status", "worker"], capture_output=True, text=True)
    assert "STOPPED" in status.stdout, status.stdout


def test_without_a_migration_the_database_is_not_touched_by_the_undo(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", healthy=False)
    ended = site.deploy()
    assert "the database was not touched" in ended.last()
    assert_rolled_back(site, ended, before, live, "Health | Ask until it is well")


@pytest.mark.parametrize("site", ["mysql"], indirect=True)
def test_without_a_migration_no_request_fails(site):
    first_deploy(site)
    site.source.release("2")
    seen: list[tuple[int, Any]] = []
    done = threading.Event()

    def visit() -> None:
        while not done.is_set():
            seen.append(site.web.get("/health"))

    with ThreadPoolExecutor(2) as visitors:
        visits = [visitors.submit(visit) for _ in range(2)]
        try:
            ended = site.deploy()
        finally:
            done.set()
        for one in visits:
            one.result()
    assert ended.rc == 0, ended.output
    assert {status for status, _ in seen} == {200}
    assert {body["version"] for _, body in seen} == {"1", "2"}


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_second_deploy_at_the_same_time_fails_clearly_or_waits(site):
    first_deploy(site)
    live = site.live
    gate = site.path / "gate"
    slow = {"deploy_build_commands": [f"bash -c 'touch {gate}; while [ -e {gate} ]; do sleep 0.1; done'"]}
    with playbook_running("deploy.yml", site.hosts, {**site.variables, "deploy_source_ref": "main", **slow}) as running:
        wait_until(gate.exists, "the first deploy builds")
        second = site.deploy()
        assert second.rc != 0
        assert "Another deploy of orders is running" in second.last()
        assert site.live == live
        gate.unlink()
        output, _ = running.communicate(timeout=120)
        assert running.returncode == 0, output.decode()
    assert site.deploy(deploy_lock_wait=60).rc == 0, "the lock is free again"


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_deploy_whose_controller_was_killed_is_undone_by_the_next_run(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    gate = site.path / "gate"
    site.source.release("2", migration=BREAKS_HALFWAY)
    stuck = {"deploy_migrate_command": f"bash -c 'php artisan migrate --force; touch {gate}; sleep 300'"}
    with playbook_running(
        "deploy.yml", site.hosts, {**site.variables, "deploy_source_ref": "main", **stuck}
    ) as running:
        wait_until(gate.exists, "the migration has done its harm", 120)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert site.rows() != before
    assert site.in_maintenance()
    back = site.play("rollback.yml")
    assert back.rc == 0, back.output
    assert "an unfinished deploy was undone" in back.last()
    assert site.live == live
    assert site.rows() == before
    assert not site.in_maintenance()
    site.wait_for_worker(site.order("after"), "1")


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_what_was_written_after_the_backup_is_in_the_restore_point(site):
    """A row that is acknowledged while the backup is long done, but before maintenance, is not lost."""
    first_deploy(site)
    site.source.release("2", migration=BREAKS_HALFWAY)
    late = f"bash -c 'curl -sf -d customer=late -d amount_cents=1 {site.web.url('/orders')} && php artisan down'"
    ended = site.deploy(deploy_maintenance_on_command=late)
    assert ended.rc != 0
    customers = [order["customer"] for order in site.web.get("/orders")[1]]
    assert customers.count("late") >= 1, ended.output


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_check_mode_changes_nothing(site, tmp_path):
    def everything() -> set[tuple[str, float]]:
        """Every path; of all but folders, in which a temporary file may come and go, the time of the last change."""
        folders = (site.path / "releases", site.path / ".holdfast", site.path / "backups", site.path / "shared/.env")
        paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
        return {(str(path), 0 if path.is_dir() else path.lstat().st_mtime) for path in paths}

    fresh = site.deploy("main", "--check")
    assert fresh.rc == 0, fresh.output
    assert not (site.path / "releases").exists() and not (site.path / ".holdfast").exists()
    first_deploy(site)
    site.source.release("2", migration=ADDS_DATA)
    before, rows = everything(), site.rows()
    for playbook, variables in (("deploy.yml", {"deploy_source_ref": "main"}), ("backup.yml", {}),
                                ("rollback.yml", {}), ("restore.yml", {"restore_backup": "latest"})):  # fmt: skip
        ended = site.play(playbook, "--check", "--diff", **variables)
        if playbook == "rollback.yml":
            assert "there is none before it" in ended.last()
        else:
            assert ended.rc == 0, ended.output
        assert everything() == before, playbook
        assert site.rows() == rows


@pytest.mark.parametrize("site", ["mysql"], indirect=True)
def test_a_backup_is_restored_and_production_wants_the_name_once_more(site):
    first_deploy(site)
    before = site.rows()
    made = site.play("backup.yml")
    assert made.rc == 0 and "verified: archive" in made.last(), made.output
    site.order("to be forgotten")
    production = {"holdfast_environment": "production", "restore_backup": "latest"}
    refused = site.play("restore.yml", **production)
    assert refused.rc != 0
    name = site.variables["deploy_db_database"]
    assert f"confirm with -e restore_confirm={name}" in refused.last()
    done = site.play("restore.yml", restore_confirm=name, **production)
    assert done.rc == 0, done.output
    assert site.rows() == before
    missing = site.play("restore.yml", restore_backup="no-such-backup")
    assert "There is no backup 'no-such-backup'" in missing.last() and "There are: 2" in missing.last()
    assert site.rows() == before and not site.in_maintenance()


@pytest.mark.parametrize("site", ["mysql", "postgresql"], indirect=True)
def test_the_password_is_nowhere_to_be_seen(site, tmp_path):
    """Neither in a process' arguments or environment, nor in what is shown with -vvv, nor in a file we leave."""
    first_deploy(site)
    site.source.release("2", migration=BREAKS_HALFWAY)
    with LeakWatcher(PASSWORD) as watcher:
        ended = site.deploy("main", "-vvv")
    assert ended.rc != 0 and "database restored from" in ended.last()
    assert watcher.seen == []
    assert PASSWORD not in ended.output
    assert files_with(PASSWORD, site.path / "backups") == []
    assert files_with(PASSWORD, site.path / ".holdfast") == []


def test_the_watcher_sees_what_it_must():
    secret = "Secret-" + secrets.token_hex(8)
    with LeakWatcher(secret) as watcher:
        subprocess.run(["sh", "-c", "sleep 0.3; exit 0", secret], check=True)
        subprocess.run(["sleep", "0.3"], check=True, env={"PASSWORD": secret})
    assert {part for part, _ in watcher.seen} == {"cmdline", "environ"}


def python_without(tool: str, interpreter: str, folder: Path) -> Path:
    """An interpreter that finds every program of this machine but one."""
    folder.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != tool:
            (folder / program.name).symlink_to(program)
    python = folder / "holdfast-python"
    python.write_text(f'#!/bin/sh\nPATH={folder} exec {interpreter} "$@"\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize("harm", ["no room", "no zstd", "wrong root"])
def test_a_backup_that_cannot_be_made_stops_the_deploy(site, harm, tmp_path):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", migration=ADDS_DATA)
    small = tmp_path / "small"
    small.mkdir()
    if harm == "no room":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], check=True)
    elif harm == "wrong root":
        (small / "b").write_text("a file")
    try:
        hosts = {name: {**host} for name, host in site.hosts.items()}
        if harm == "no zstd":
            python = python_without("zstd", hosts["web1"]["ansible_python_interpreter"], tmp_path / "tools")
            hosts["web1"]["ansible_python_interpreter"] = str(python)
        ended = run_playbook("deploy.yml", hosts, {**site.variables, "deploy_backup_root": str(small / "b")})
    finally:
        if harm == "no room":
            subprocess.run(["umount", str(small)], check=True)
    said = {"no room": "full|No space", "no zstd": "Install the package zstd", "wrong root": "not a folder"}[harm]
    assert re.search(said, ended.last()), ended.output
    assert "NOW: release " + live["release"] in ended.last()
    assert "nothing that is live was touched" in ended.last()
    assert site.rows() == before and site.live == live
