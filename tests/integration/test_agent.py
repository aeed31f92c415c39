"""The agent as it is installed: by the role, as one file, run by a real Supervisor."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.build import package

from support.plain import LOCAL
from support.playbook import ROOT, Ended, run_playbook
from support.processes import running, wait_until
from support.supervisor import supervisor
from support.webhook import webhook

PASSWORD = "s3cret-of-the-shop"


class Place:
    """Where a throw-away agent lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pyz = folder / "lib/holdfast.pyz"
        self.config = folder / "etc/agent.json"
        self.shop = folder / "shop"
        self.shop.touch()
        self.check = {"name": "shop", "type": "command", "command": f"test -e {self.shop}"}

    def play(self, *extra: str, **more: Any) -> Ended:
        """Run agent.yml."""
        variables = {
            "agent_checks": [self.check],
            "agent_python": sys.executable,
            "agent_package": str(self.pyz),
            "agent_config": str(self.config),
            "agent_state_dir": str(self.folder / "state"),
            "agent_cache_dir": str(self.folder / "cache"),
            "agent_page": str(self.folder / "page.html"),
            "agent_prometheus": str(self.folder / "holdfast.prom"),
            "agent_health_json": str(self.folder / "health.json"),
            "agent_unit_dir": str(self.folder),
            "agent_cron_dir": str(self.folder),
            "agent_supervisor_dir": str(self.folder),
            "agent_manager": "none",
            "agent_alert_urls": [f"json://user:{PASSWORD}@127.0.0.1:9/hook"],
            **more,
        }
        return run_playbook("agent.yml", {"web1": LOCAL}, variables, *extra)

    def run(self, command: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Call the agent."""
        argv = [sys.executable, str(self.pyz), command, "--config", str(config or self.config)]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def write(self, **more: Any) -> None:
        """Put the agent and a configuration in their place by hand."""
        self.pyz.parent.mkdir(exist_ok=True)
        self.config.parent.mkdir(exist_ok=True)
        if not self.pyz.exists():
            self.pyz.write_bytes(package())
        folders = {"state_dir": str(self.folder / "state"), "cache_dir": str(self.folder / "cache")}
        temporary = self.config.with_suffix(".new")
        temporary.write_text(json.dumps({"checks": [self.check], "interval": 0.2, **folders, **more}))
        temporary.rename(self.config)

    def memory(self) -> dict[str, Any]:
        """What the agent noted."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "state/state.json").read_text())
        except FileNotFoundError:
            return {}
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    return Place(tmp_path)


def test_the_role_installs_it_once_and_removes_it_without_a_trace(place):
    done = place.play(agent_manager="cron")
    assert done.rc == 0, done.output
    assert PASSWORD not in done.output
    assert stat.S_IMODE(place.pyz.stat().st_mode) == 0o755 and stat.S_IMODE(place.config.stat().st_mode) == 0o600
    line = (place.folder / "holdfast-agent").read_text().splitlines()[-1]
    when, command = line.split(" root ")
    assert when == "* * * * *"
    ran = subprocess.run(["sh", "-c", command], cwd="/", capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert place.memory()["status"] == "pass" and "PASS" in (place.folder / "page.html").read_text()
    again = place.play(agent_manager="cron")
    assert "changed=0 " in again.last(), again.output
    gone = place.play(agent_manager="cron", agent_state="absent")
    assert gone.rc == 0, gone.output
    left = {path.name for path in place.folder.rglob("*")}
    assert left <= {"shop", "lib", "etc", "cache", "salt"}


def test_in_check_mode_nothing_is_installed(place):
    done = place.play("--check")
    assert done.rc == 0, done.output
    assert [path.name for path in place.folder.iterdir()] == ["shop"]


def test_a_wrong_check_is_refused_with_its_reason(place):
    done = place.play(agent_checks=[{"type": "command", "comand": "true"}])
    assert done.rc != 0 and "has no option 'comand'; did you mean 'command'?" in done.last(), done.output
    assert not place.config.exists() and not place.pyz.exists()


def test_a_wrong_update_leaves_the_agent_that_runs_alone(place):
    place.write()
    before = place.config.read_bytes()
    place.pyz.write_bytes(b"an older one")
    done = place.play(agent_alert_after=0)
    assert done.rc != 0 and "option 'alert_after' must be at least 1" in done.last(), done.output
    assert "changed=0 " in done.last() and PASSWORD not in done.output
    assert (place.config.read_bytes(), place.pyz.read_bytes()) == (before, b"an older one")


def test_under_systemd_check_mode_goes_through_before_there_is_a_unit(place):
    done = place.play("--check", "--diff", agent_manager="systemd")
    assert done.rc == 0 and PASSWORD not in done.output, done.output


def test_systemd_understands_its_unit(place):
    place.write()
    unit = place.folder / "holdfast-agent.service"
    template = {"src": str(ROOT / "roles/agent/templates/service.j2"), "dest": str(unit)}
    variables = {
        "__agent_command": f"{sys.executable} {place.pyz}",
        "agent_config": str(place.config),
        "agent_user": "root",
        "agent_memory_max": "64M",
    }
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.template": template}]}]
    (place.folder / "play.json").write_text(json.dumps(play))
    done = run_playbook(str(place.folder / "play.json"), {"web1": LOCAL}, variables)
    assert done.rc == 0, done.output
    assert f"run --config {place.config}" in unit.read_text() and "MemoryMax=64M" in unit.read_text()
    argv = ["systemd-analyze", "verify", "--man=no", str(unit)]
    found = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert found.returncode == 0 and "holdfast-agent" not in found.stderr, found.stderr


def usage(pid: int) -> tuple[int, float]:
    """A process' resident memory in KiB, and the CPU seconds of it and of its children that ended (proc(5))."""
    resident = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return resident, sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def test_under_supervisor_it_looks_tells_and_takes_little(place, capsys):
    include = f"\n[include]\nfiles = {place.folder}/*.conf.d/*.conf\n"
    (place.folder / "x.conf.d").mkdir()
    with webhook() as hook, supervisor(place.folder, {}, include) as config:
        options = {
            "agent_manager": "supervisor",
            "agent_supervisor_dir": str(place.folder / "x.conf.d"),
            "agent_supervisor_config": str(config),
            "agent_interval": 1,
            "agent_alert_urls": [hook.url],
        }
        done = place.play(**options)
        assert done.rc == 0, done.output
        assert "changed=0 " in place.play(**options).last()
        wait_until(lambda: place.memory().get("status") == "pass", "the agent has looked")
        pid = supervised(config)
        place.shop.unlink()
        wait_until(lambda: hook.messages != [], "people are told")
        assert hook.titles() == ["web1: shop FAILS"]
        begun = time.monotonic()
        seen = place.run("status")
        took = time.monotonic() - begun
        assert seen.returncode == 2 and seen.stdout.startswith("FAIL  shop: ")
        place.shop.touch()
        wait_until(lambda: hook.messages != [], "people are told of its end")
        assert hook.titles() == ["web1: shop is well again"]
        at = place.memory()["at"]
        _, before = usage(pid)
        wait_until(lambda: place.memory()["at"] > at + 3, "it has looked some more times")
        resident, after = usage(pid)
        each = (after - before) / (place.memory()["at"] - at)
        with capsys.disabled():
            print(f"\nat rest {resident / 1024:.1f} MiB; {each:.2f} s of CPU a look; status in {took:.2f} s")
        assert resident < 30 * 1024
        assert each < 0.6, "less than 1 % of a core with a look each minute"
        assert place.play(**options, agent_state="absent").rc == 0
        assert not Path(f"/proc/{pid}").exists() and not place.pyz.exists()


def supervised(config: Path) -> int:
    """The pid of the agent, as Supervisor has it."""
    argv = ["/usr/bin/supervisorctl", "-c", str(config), "pid", "holdfast-agent"]
    return int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def looking(place: Place) -> Any:
    argv = [sys.executable, str(place.pyz), "run", "--config", str(place.config)]
    return running(argv, place.folder / "log", lambda: "at" in place.memory())


def test_a_broken_configuration_is_told_and_the_last_good_one_stays_in_use(place):
    with webhook() as hook:
        place.write(urls=[hook.url], title="web1")
        with looking(place):
            place.config.write_text(place.config.read_text().replace(",", ",,"))
            wait_until(lambda: hook.messages != [], "people are told")
            (message,) = hook.messages
            assert message["title"] == "web1: The agent's configuration FAILS"
            assert "no JSON" in message["message"] and "last good configuration" in message["message"]
            at = place.memory()["at"]
            wait_until(lambda: place.memory()["at"] > at, "it goes on looking")
            assert place.memory()["results"][0]["status"] == "pass"
            seen = place.run("status")
            assert seen.returncode == 1 and "PASS  shop" in seen.stdout and "is no JSON" in seen.stdout
            hook.messages.clear()
            place.write(urls=[hook.url], title="web1", checks=[])
            wait_until(lambda: "empty" in " ".join(place.memory()["problems"]), "the reason is another one now")
            seen = place.run("status")
            assert seen.returncode == 1 and "The list of checks is empty" in seen.stdout
            place.write(urls=[hook.url], title="web1")
            wait_until(lambda: hook.messages != [], "people are told that it is right again")
            assert hook.titles() == ["web1: The agent's configuration is well again"]


def test_an_agent_that_starts_with_a_broken_configuration_goes_on_with_the_last_good_one(place):
    with webhook() as hook:
        place.write(urls=[hook.url], title="web1")
        with looking(place):
            assert place.memory()["problems"] == []
        place.config.write_text(place.config.read_text().replace(",", ",,"))
        at = place.memory()["at"]
        with looking(place):
            wait_until(lambda: place.memory()["at"] > at, "it looks")
            wait_until(lambda: hook.titles() == ["web1: The agent's configuration FAILS"], "people are told")
        assert "The agent's configuration FAILS. " in (place.folder / "log").read_text()
    assert place.run("once").returncode == 1
    kept = place.folder / "state/last-good.json"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_keeps_no_answers_is_told(place):
    (place.folder / "cache").mkdir()
    (place.folder / "cache").chmod(0o777)
    place.write(checks=[{**place.check, "ttl": 60}])
    done = place.run("once")
    assert done.returncode == 1 and f"{place.folder}/cache" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"chekcs": []}, "unknown option 'chekcs'; did you mean 'checks'?"),
        ({"interval": "soon"}, "option 'interval' must be a number of seconds"),
        ({"self_check": ["1.1.1.1"]}, "option 'self_check' must be a list of HOST:PORT"),
        ({"external": ["shpo"]}, "names no check: 'shpo'; did you mean 'shop'?"),
        ({"checks": [{"type": "command"}]}, "the type command needs the option 'command'"),
        ({"page": "here.html"}, "option 'page' must be an absolute path"),
    ],
)
def test_a_wrong_configuration_is_told_at_the_start(place, wrong, said):
    place.write(**wrong)
    for command in ("check-config", "run", "once"):
        done = place.run(command)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    place.config.unlink()
    assert "cannot be read" in place.run("run").stderr


def test_there_is_one_agent_in_a_folder(place):
    place.write()
    with looking(place):
        second = place.run("run")
        assert second.returncode == 2 and "Another agent is at work" in second.stderr
        assert "Another agent is at work" in place.run("once").stderr


def test_one_whose_file_is_replaced_becomes_the_new_one(place):
    place.write()
    with looking(place) as process:
        new = place.pyz.with_suffix(".new")
        # Nothing in it is where it was, so that one that went on with what it knew of the old file could read nothing.
        new.write_bytes(b"#!longer\n" + package().replace(b"exit status", b"EXIT STATUS"))
        new.rename(place.pyz)
        wait_until(lambda: place.memory()["results"][0]["output"] == "EXIT STATUS 0", "the new one looks")
        assert process.poll() is None and place.memory()["problems"] == []


def test_a_look_that_dies_is_told_of_and_the_next_one_is_made(place):
    flag = place.folder / "kill"
    checks = [{**place.check, "command": ["sh", "-c", f"test -e {flag} && kill -9 $PPID; true"]}]
    place.write(checks=checks, interval=1)  # what is told of one look can be read until the next
    with looking(place):
        flag.touch()
        wait_until(lambda: place.run("status").returncode == 2, "nothing is written any more")
        flag.unlink()
        wait_until(lambda: "ended with status -9" in " ".join(place.memory()["problems"]), "it is told")
        wait_until(lambda: place.memory()["problems"] == [], "the next look is well")


def test_one_that_is_told_to_end_leaves_nothing_running(place):
    note = place.folder / "pid"
    command = ["sh", "-c", f"trap '' TERM INT; echo $$ > {note}.new; mv {note}.new {note}; sleep 100; sleep 100"]
    place.write(checks=[{**place.check, "command": command, "timeout": 200}])
    argv = [sys.executable, str(place.pyz), "run", "--config", str(place.config)]
    with running(argv, place.folder / "log", note.exists) as process:
        process.terminate()
        assert process.wait(10) == 0
    group = int(note.read_text())
    wait_until(lambda: not processes_of(group), "what the check ran has ended")


def processes_of(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = subprocess.run(["ps", "-eo", "pgid=,pid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [int(pid) for one, pid, state in rows if int(one) == group and not state.startswith("Z")]


def test_what_is_no_text_stops_no_look(place):
    name = "sh\ud800op"  # JSON can say it, UTF-8 cannot
    place.write(checks=[{**place.check, "name": name}])
    done = place.run("once")
    assert (done.returncode, done.stdout, done.stderr) == (0, "PASS  sh op: exit status 0\n", "")
    assert place.memory()["results"][0]["name"] == name
    assert place.run("status").returncode == 0


def test_another_user_than_root_can_reach_its_folder_and_keep_answers(place):
    state = place.folder / "var/agent"
    state.parent.mkdir(mode=0o700)  # as a notification of root's may have made it
    variables = {"agent_user": "nobody", "agent_state_dir": str(state), "agent_cache_dir": ""}
    done = place.play(**variables)
    assert done.rc == 0, done.output
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o711
    assert (state.owner(), stat.S_IMODE(state.stat().st_mode)) == ("nobody", 0o700)
    assert json.loads(place.config.read_text())["cache_dir"] == str(state / "probes")
    assert "changed=0 " in place.play(**variables).last()


def test_one_that_ended_is_seen_to_have_ended(place):
    place.write()
    assert place.run("status").stdout == "The agent has not looked yet.\n"
    with looking(place):
        assert place.run("status").returncode == 0
    wait_until(lambda: place.run("status").returncode == 2, "its last look is too old")
    assert "the agent does not run" in place.run("status").stdout


def test_the_same_core_gives_the_same_bytes_and_needs_no_library(place):
    assert package() == package()
    place.write(urls=["json://127.0.0.1:9/hook"], alert_after=1)
    argv = [sys.executable, "-I", "-S", str(place.pyz), "once", "--config", str(place.config)]  # no site-packages
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "PASS  shop: exit status 0\n"), done.stderr
    place.shop.unlink()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "\nFAIL  shop: " in done.stdout, done.stderr
    assert "Nobody can be told: The Python library apprise is not installed" in done.stdout
