"""Checks of units against a real systemd, and where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round

from support.processes import wait_until
from support.systemd import systemctl, systemd

UNITS = {
    "web.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "broken.service": "[Service]\nExecStart=/bin/false\n",
    "loop.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1\n",
    "off.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "slow.service": "[Service]\nType=notify\nExecStart=/bin/sleep 1000\n",
}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("systemd")
    (folder / "masked.service").symlink_to("/dev/null")
    with systemd(folder, UNITS) as runtime:
        assert systemctl(runtime, "start", "--no-block", *UNITS).returncode == 0
        assert systemctl(runtime, "stop", "off.service").returncode == 0
        wait_until(lambda: "failed" in systemctl(runtime, "is-active", "broken.service").stdout, "the unit has failed")
        yield runtime


@pytest.fixture(autouse=True)
def session(manager: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(manager))


def look(*units: str, **options: Any) -> Result:
    return run_round(parse([{"type": "systemd", "units": list(units), "user": True, **options}]))[0]


def test_units_that_are_active_are_green():
    found = look("web", "basic.target")
    assert (found.status, found.output) == ("pass", "web is active (running), basic.target is active (active)")
    assert found.values["restarts"] == 0


def test_each_unit_that_is_not_active_is_named():
    found = look("web", "broken", "off", "nope", "masked")
    assert found.status == "fail"
    assert found.output == (
        "broken is failed (failed, exit-code); off is inactive (dead); nope is not known to systemd; masked is masked"
    )


def test_a_unit_on_its_way_is_a_warning():
    found = look("slow", "web")
    assert (found.status, found.output) == ("warn", "slow is activating (start)")


def test_a_unit_that_falls_over_and_over_again_has_failed_and_its_restarts_are_counted(manager):
    wait_until(lambda: look("loop").values["restarts"] >= 1, "the unit was started again")
    wait_until(lambda: look("loop").status == "fail", "the unit waits for its next start")
    found = look("web", "loop", warn={"restarts": 1})
    assert found.values["restarts"] >= 1
    assert found.status in ("warn", "fail")


def test_what_systemctl_says_is_told():
    assert "neither a valid invocation ID nor unit name" in look("foo@.service").output


def test_where_no_manager_answers_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = look("web")
    assert found.status == "fail" and "Failed to connect to bus" in found.output


def test_a_machine_without_systemd_is_told_from_a_unit_that_is_missing():
    found = look("no-such-unit.service", user=False)
    booted = Path("/run/systemd/system").is_dir()
    assert found.status == "fail"
    wanted = "no-such-unit.service is not known to systemd" if booted else "systemd does not run here: systemctl failed"
    assert found.output.startswith(wanted)


def test_a_machine_without_systemctl_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "'systemctl'" in look("web", user=False).output
