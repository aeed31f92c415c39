"""health.yml asks all hosts, shows a line for each check in its colour, and fails when it should."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import support.playbook
from support.plain import LOCAL
from support.playbook import ROOT, environment, program, run_playbook

GOOD = {"name": "shop", "type": "command", "command": "echo fine"}
BAD = {"name": "queue", "type": "command", "command": "false"}
ADVISORY = {**BAD, "name": "disk", "critical": False}


def host(*checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**LOCAL, "deploy_health_checks": list(checks), **more}


def test_all_hosts_are_shown_before_it_fails_for_one():
    gone = {**host(GOOD), "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts = {
        "web1": host(GOOD, BAD),
        "web2": host(GOOD, ADVISORY),
        "web3": gone,
        "web4": host({"type": "nonsense"}),
    }
    done = run_playbook("health.yml", hosts, {})
    lines = done.output.splitlines()
    for line in (
        "web1  PASS  shop: exit status 0",
        "web2  PASS  shop: exit status 0",
    ):
        assert line in lines, done.output
    starts = (
        "web1  FAIL  queue: ",
        "web2  WARN  disk: ",
        "web3  FAIL  unreachable: ",
        "web4  FAIL  nothing was asked: ",
    )
    for start in starts:
        assert len([line for line in lines if line.startswith(start)]) == 1, done.output
    assert done.rc == 2
    recap = {line.split()[0]: line for line in lines[-6:] if "ok=" in line}
    assert "failed=1" in recap["web1"] and "failed=0" in recap["web2"] and "failed=1" in recap["web3"]


def shown(output: str) -> list[str]:
    return [line[:17] for line in output.splitlines() if re.match(r"web\d  [A-Z]", line)]


def test_hosts_that_are_asked_in_turns_are_each_shown_once(tmp_path):
    play = tmp_path / "play.yml"
    play.write_text("- hosts: app\n  gather_facts: false\n  serial: 1\n  roles: [holdfast.deploy.health]\n")
    done = run_playbook(str(play), {"web1": host(GOOD, ADVISORY), "web2": host(GOOD)}, {})
    assert done.rc == 0, done.output
    assert shown(done.output) == ["web1  PASS  shop:", "web1  WARN  disk:", "web2  PASS  shop:"]


def test_a_strategy_of_the_operator_does_not_disturb_it(monkeypatch):
    monkeypatch.setattr(support.playbook, "environment", lambda: {**environment(), "ANSIBLE_STRATEGY": "free"})
    done = run_playbook("health.yml", {"web1": host(GOOD), "web2": host(GOOD)}, {})
    assert done.rc == 0 and shown(done.output) == ["web1  PASS  shop:", "web2  PASS  shop:"], done.output


def test_a_host_without_a_python_says_so(tmp_path):
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho no such version >&2\nexit 127\n")
    python.chmod(0o755)
    done = run_playbook("health.yml", {"web1": host(GOOD, ansible_python_interpreter=str(python))}, {})
    assert done.rc == 2
    assert re.search(r"web1  FAIL  nothing was asked: .*no such version", done.output), done.output


def test_it_ends_well_when_nothing_critical_fails():
    done = run_playbook("health.yml", {"web1": host(GOOD), "web2": host(ADVISORY)}, {})
    assert done.rc == 0, done.output


def test_lines_have_the_colours_of_their_status(tmp_path):
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"app": {"hosts": {"web1": host(GOOD, BAD, ADVISORY)}}}))
    coloured = {name: value for name, value in environment().items() if name != "ANSIBLE_NOCOLOR"}
    done = subprocess.run(
        [program("ansible-playbook"), "health.yml", "-i", str(inventory)],
        cwd=ROOT,
        env={**coloured, "ANSIBLE_FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    for colour, said in (("32", "PASS  shop"), ("31", "FAIL  queue"), ("33", "WARN  disk")):
        assert f"\033[0;{colour}mweb1  {said}" in done.stdout, done.stdout
