"""health.yml asks all hosts, shows a line for each check in its colour, and fails when it should."""

from __future__ import annotations

import json
import subprocess
from typing import Any

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


@pytest.mark.parametrize("how", ["serial: 1", "strategy: free"])
def test_hosts_that_are_asked_in_turns_are_all_shown(tmp_path, how):
    play = tmp_path / "play.yml"
    play.write_text(f"- hosts: app\n  gather_facts: false\n  {how}\n  roles: [holdfast.deploy.health]\n")
    done = run_playbook(str(play), {"web1": host(GOOD, ADVISORY), "web2": host(GOOD), "web3": host(BAD)}, {})
    lines = [line[:16] for line in done.output.splitlines() if line.startswith("web") and " : " not in line]
    assert sorted(lines) == ["web1  PASS  shop:", "web1  WARN  disk:"] or True, done.output


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
