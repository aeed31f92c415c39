"""Scheduled jobs run the playbook they name, by cron or by systemd, and are gone when they should be."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.plain import LOCAL, PlainApp
from support.playbook import Ended, program, run_playbook

JOB = {"name": "shop-backup", "playbook": "backup.yml", "at": "03:05"}


def schedule(folder: Path, jobs: list[dict[str, Any]], *extra: str, **more: Any) -> Ended:
    variables = {
        "schedule_hosts": "all",
        "schedule_jobs": jobs,
        "schedule_command": program("ansible-playbook"),
        "schedule_script_dir": str(folder / "scripts"),
        "schedule_cron_dir": str(folder),
        "schedule_unit_dir": str(folder),
    }
    return run_playbook("schedule.yml", {"control": LOCAL}, {**variables, **more}, *extra)


def test_a_line_for_cron_runs_the_backup_and_goes_again(tmp_path):
    app = PlainApp.make(tmp_path)
    secret = tmp_path / "environment"
    secret.write_text(f"SHOP_PATH='{app.path}/by $chedule'\n")
    inventory = tmp_path / "hosts.yml"
    host = {**LOCAL, **app.variables(), "deploy_backup_root": "{{ lookup('ansible.builtin.env', 'SHOP_PATH') }}"}
    inventory.write_text(json.dumps({"app": {"hosts": {"web1": host}}}))
    job = {**JOB, "weekday": "sun", "arguments": ["-i", str(inventory)]}
    done = schedule(tmp_path, [job], schedule_environment_file=str(secret))
    assert done.rc == 0, done.output
    line = (tmp_path / "holdfast-shop-backup").read_text().splitlines()[-1]
    when, command = line.split(" root ")
    assert when == "5 3 * * sun"
    ran = subprocess.run(["sh", "-c", command], cwd="/", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert len(list((app.path / "by $chedule/plain").glob("*Z-manual-*/manifest.json"))) == 1
    again = schedule(tmp_path, [job], schedule_environment_file=str(secret))
    assert "changed=0 " in again.last(), again.output
    gone = schedule(tmp_path, [{**JOB, "state": "absent"}])
    assert gone.rc == 0, gone.output
    assert list(tmp_path.glob("holdfast-*")) == list((tmp_path / "scripts").iterdir()) == []


@pytest.mark.parametrize("wrong", [{"name": "../x"}, {"at": "25:00"}, {"at": "3"}, {"day": 31}, {"playbook": ""}])
def test_what_cannot_be_scheduled_is_refused_before_anything_is_written(tmp_path, wrong):
    done = schedule(tmp_path, [{**JOB, **wrong}])
    assert done.rc != 0 and "cannot be scheduled" in done.last(), done.output
    assert not list(tmp_path.iterdir())
