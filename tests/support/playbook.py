"""Running playbooks as an operator does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a run ended; `output` is all that was shown."""

    rc: int
    output: str

    def last(self, lines: int = 25) -> str:
        """The last lines that were shown, in one line: YAML results are folded."""
        return " ".join(" ".join(self.output.strip().splitlines()[-lines:]).split())


def program(name: str) -> str:
    """One of Ansible's programs, of the environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def environment() -> dict[str, str]:
    """Ours, without what would change Ansible's behaviour, and with the tests' own programs first."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {**clean, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}


@contextmanager
def _argv(
    playbook: str, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any], extra: Sequence[str]
) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory(prefix="holdfast-run-") as folder:
        inventory = Path(folder, "hosts.json")
        inventory.write_text(json.dumps({"app": {"hosts": dict(hosts)}}))
        secret = Path(folder, "vars.json")
        secret.touch(0o600)
        secret.write_text(json.dumps(dict(variables)))
        yield [program("ansible-playbook"), playbook, "-i", str(inventory), "-e", f"@{secret}", *extra]


def run_playbook(
    playbook: str, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any], *extra: str
) -> Ended:
    """Run a playbook of the project, or one named by its full path, to its end."""
    with _argv(playbook, hosts, variables, extra) as argv:
        done = subprocess.run(
            argv, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    return Ended(done.returncode, done.stdout.decode(errors="replace"))


@contextmanager
def playbook_running(
    playbook: str, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any], *extra: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A playbook on its way, in a session of its own so that all of it can be killed."""
    with _argv(playbook, hosts, variables, extra) as argv:
        process = subprocess.Popen(
            argv, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()
            if process.stdout:
                process.stdout.close()


def run_module(module: str, arguments: Mapping[str, Any], *extra: str) -> tuple[dict[str, Any], str]:
    """Run one of our modules on this machine; returns its result and all that was shown."""
    with tempfile.TemporaryDirectory(prefix="holdfast-run-") as folder:
        task = {f"holdfast.deploy.{module}": dict(arguments), "register": "done", "ignore_errors": True}
        kept = {"content": "{{ done | to_json }}", "dest": f"{folder}/result", "mode": "0600"}
        keep = {"ansible.builtin.copy": kept, "check_mode": False, "diff": False, "no_log": True}
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": [task, keep]}]
        path = Path(folder, "play.json")
        path.write_text(json.dumps(play))
        argv = [program("ansible-playbook"), str(path), "-i", "localhost,", "-c", "local"]
        argv += ["-e", f"ansible_python_interpreter={sys.executable}", *extra]
        done = subprocess.run(argv, cwd=ROOT, env=environment(), capture_output=True, check=False)
        output = (done.stdout + done.stderr).decode(errors="replace")
        result = Path(folder, "result")
        assert result.exists(), output
        return json.loads(result.read_text()), output
