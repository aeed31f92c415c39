"""The heartbeat of a real Laravel's scheduler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round

from support.laravel import FIXTURE, env_file


@pytest.fixture
def application(tmp_path: Path) -> Path:
    folder = tmp_path / "it's an app"
    shutil.copytree(FIXTURE, folder)
    (folder / "database.sqlite").touch()
    (folder / ".env").write_text(env_file("sqlite", DB_DATABASE=folder / "database.sqlite"))
    return folder


def artisan(folder: Path, *words: str) -> None:
    subprocess.run(["php", "artisan", *words], cwd=folder, check=True, capture_output=True)


def look(file: Path) -> Result:
    return run_round(parse([{"type": "scheduler", "file": str(file)}]))[0]


def test_each_run_of_the_schedule_is_seen_in_maintenance_too(application):
    file = application / "storage/framework/scheduled"
    assert look(file).status == "fail"
    artisan(application, "schedule:run")
    assert look(file).status == "pass"

    stood_still = time.time() - 400
    os.utime(file, (stood_still, stood_still))
    found = look(file)
    assert found.status == "fail" and found.values["age_s"] >= 400
    artisan(application, "down")
    artisan(application, "schedule:run")
    assert look(file).status == "pass"


def test_what_is_said_to_type_for_laravel_is_right_as_it_stands(application):
    file = application / "heartbeat"
    typed = re.findall("`(.*?)`", look(file).output)[1]
    kernel = application / "app/Console/Kernel.php"
    kernel.write_text(re.sub(r"\$schedule->.*", lambda _: typed, kernel.read_text()))
    artisan(application, "schedule:run")
    assert look(file).status == "pass"
