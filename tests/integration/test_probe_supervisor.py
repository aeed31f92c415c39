"""Checks of a real Supervisor, and of servers that only seem to be one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from support.processes import free_port, wait_until
from support.supervisor import supervisor

STAYS = {"command": "/bin/sleep 1000", "startsecs": "0"}
PROGRAMS = {
    "web": STAYS,
    "worker": {**STAYS, "process_name": "%(program_name)s_%(process_num)02d", "numprocs": "2"},
    "looping": {"command": "/bin/sh -c 'sleep 0.2; exit 3'", "startsecs": "0", "autorestart": "true"},
    "fatal": {"command": "/bin/false", "startretries": "0"},
    "retried": {"command": "/bin/false", "startretries": "1000"},
    "stopped": {**STAYS, "autostart": "false"},
    "once": {"command": "/bin/true", "startsecs": "0", "autorestart": "false"},
    "crashed": {"command": "/bin/sh -c 'exit 7'", "startsecs": "0", "autorestart": "false"},
    "slow": {"command": "/bin/sleep 1000", "startsecs": "1000"},
}
STATES = {"web": "RUNNING", "fatal": "FATAL", "once": "EXITED", "crashed": "EXITED", "slow": "STARTING"}
PASSWORD = "s3cret-supervisor"


class Server:
    """A supervisord: its configuration, and its port."""

    def __init__(self, config: Path, port: int) -> None:
        self.config = config
        self.socket = str(config.parent / "supervisor.sock")
        self.port = port

    def control(self, *words: str) -> str:
        done = subprocess.run(["supervisorctl", "-c", str(self.config), *words], capture_output=True, text=True)
        return done.stdout

    def wait_for(self, program: str, state: str) -> None:
        wait_until(lambda: state in self.control("status", program), f"{program} is {state}")

    def look(self, *programs: str, store: Store | None = None, **options: Any) -> Result:
        check = {"type": "supervisor", "socket": self.socket, **options}
        if programs:
            check["programs"] = list(programs)
        return run_round(parse([check]), store)[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    http = f"[inet_http_server]\nport = 127.0.0.1:{port}\nusername = shop\npassword = {PASSWORD}\n"
    with supervisor(tmp_path_factory.mktemp("supervisor"), PROGRAMS, http) as config:
        one = Server(config, port)
        for program, state in STATES.items():
            one.wait_for(program, state)
        yield one


def test_programs_that_run_are_green(server):
    found = server.look("web", "worker:*")
    assert (found.status, found.output) == ("pass", "3 of 3 programs run")
    assert (found.values["running"], found.values["not_running"], found.values["restarts"]) == (3, 0, 0)
    assert found.values["youngest_s"] < 3600


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        ("fatal", "fail", "fatal is FATAL (Exited too quickly (process log may have details))"),
        ("stopped", "fail", "stopped is STOPPED (Not started)"),
        ("crashed", "fail", "crashed is EXITED with status 7"),
        ("slow", "warn", "slow is STARTING"),
        ("once", "warn", "once is EXITED with status 0"),
    ],
)
def test_a_program_that_does_not_run_is_named_with_its_state(server, program, status, said):
    found = server.look("web", program)
    assert (found.status, found.output) == (status, f"{said}; 1 of 2 programs run")
    assert found.values["not_running"] == 1


def test_a_program_that_waits_for_another_try_has_failed(server):
    wait_until(lambda: "retried is BACKOFF" in server.look("retried").output, "the program waits")
    assert server.look("retried").status in ("fail", "warn")


def test_without_a_list_all_programs_count(server):
    found = server.look()
    assert found.status == "fail"
    assert all(f"{name} is " in found.output for name in ("fatal", "stopped", "crashed"))
    assert "once is" not in found.output, "a program for one run has done what it should"


@pytest.mark.parametrize(
    ("entry", "running"), [("worker", 2), ("worker:worker_01", 1), ("worker_01", 1), ("worker:*", 2), ("web:web", 1)]
)
def test_programs_are_found_by_group_and_by_name(server, entry, running):
    assert server.look(entry).values["running"] == running


@pytest.mark.parametrize(
    ("entry", "nearest"), [("wrker:*", "worker:*"), ("worker:worker_1", "worker:worker_01"), ("wbe", "web")]
)
def test_a_program_that_is_not_configured_fails_with_the_nearest_name(server, entry, nearest):
    found = server.look(entry)
    assert found.status == "fail"
    assert f"Supervisor has no program {entry!r}; did you mean {nearest!r}?" in found.output


def test_a_program_that_crashes_over_and_over_again_is_seen_though_it_runs_at_each_look(server, tmp_path):
    store = Store(tmp_path / "probes")
    limits = {"warn": {"restarts": 2}, "fail": {"restarts": 4}}

    def looked() -> Result:
        return server.look("looping", "web", store=store, **limits)

    assert looked().values["restarts"] == 0, "of what was before the first look nothing is known"
    wait_until(lambda: "restarts is 2, the limit is 2" in looked().output, "two restarts were seen")
    wait_until(lambda: "restarts is 4, the limit is 4" in looked().output, "four restarts were seen")
    assert "new starts of looping in 600 s: " in looked().output


def test_restarts_are_the_most_of_one_program_and_are_forgotten_after_the_window(server, tmp_path):
    now = [1_000_000.0]
    store = Store(tmp_path / "probes", clock=lambda: now[0])
    server.look("worker", store=store)
    server.control("restart", "worker:*")
    assert server.look("worker", store=store).values["restarts"] == 1, "each of the two was started once"
    assert server.look("worker", store=store).values["restarts"] == 1, "no start is counted twice"
    now[0] += 300
    server.control("restart", "worker:worker_00")
    found = server.look("worker", store=store)
    assert "new starts of worker:worker_00 in 600 s: 2" in found.output
    assert server.look("worker:worker_01", store=store).values["restarts"] == 0, "another check has other notes"
    now[0] += 301
    assert server.look("worker", store=store).values["restarts"] == 1
    now[0] += 600
    assert server.look("worker", store=store).values["restarts"] == 0


def test_over_tcp_with_a_password(server):
    options = {"socket": None, "url": f"http://127.0.0.1:{server.port}", "login_user": "shop"}
    assert server.look("web", login_password=PASSWORD, **options).status == "pass"
    refused = server.look("web", login_password="wrong", **options)
    assert refused.status == "fail" and "refuses the login (401)" in refused.output


def test_no_supervisor(tmp_path):
    missing = tmp_path / "none.sock"
    found = run_round(parse([{"type": "supervisor", "socket": str(missing)}]))[0]
    assert found.status == "fail"
    assert found.output == f"no answer from Supervisor at {missing}: No such file or directory"
    port = free_port()
    refused = run_round(parse([{"type": "supervisor", "url": f"http://127.0.0.1:{port}"}]))[0]
    assert "Connection refused" in refused.output


def test_a_supervisor_that_is_about_to_end_is_no_green_one(tmp_path):
    stays = {"command": "/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'", "stopwaitsecs": "2"}
    with supervisor(tmp_path, {"stubborn": {**stays, "startsecs": "0", "stdout_logfile": f"{tmp_path}/out"}}) as config:
        one = Server(config, 0)
        wait_until(lambda: (tmp_path / "out").exists() and "ready" in (tmp_path / "out").read_text(), "the trap is set")
        one.control("shutdown")
        wait_until(lambda: "refused supervisor.getState: SHUTDOWN_STATE" in one.look().output, "it shuts down")


@contextlib.contextmanager
def impostor(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on a socket in the filesystem that does with each connection as it likes."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    asked = b""
                    while b"</methodCall>" not in asked and (part := connection.recv(65536)):
                        asked += part
                    answer(connection)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield str(path)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<?xml version='1.0'?><methodResponse>")
    while True:
        connection.sendall(b" " * 65536)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    closed = threading.Event()
    while not closed.wait(0.02):
        connection.sendall(b" ")


def said(xml: str) -> Callable[[socket.socket], None]:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(xml)}\r\n\r\n{xml}".encode()
    return lambda connection: connection.sendall(answer)


_RESPONSE = "<methodResponse><params><param><value>{}</value></param></params></methodResponse>"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (flood, "did not answer as Supervisor does: status 200, 8388608 bytes or more"),
        (drip, "no answer within 1 s"),
        (
            said("<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>" + _RESPONSE.format("&b;")),
            "a declaration",
        ),
        (said(_RESPONSE.format("<int>no number</int>")), "did not answer as Supervisor does"),
        (said(_RESPONSE.format("<string>fine</string>")), "did not answer as Supervisor does"),
        (said("<html>hello</html>"), "did not answer as Supervisor does"),
        (said("hello"), "did not answer as Supervisor does"),
        (lambda connection: None, "broke off: Remote end closed connection"),
    ],
)
def test_what_is_no_supervisor_is_found_out_in_time(tmp_path, answer, expected):
    with impostor(tmp_path / "impostor.sock", answer) as path:
        found = run_round(parse([{"type": "supervisor", "socket": path, "timeout": 1}]))[0]
    assert found.status == "fail" and expected in found.output


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"socket": "/run/a.sock", "url": "http://127.0.0.1:9001"}, "'socket' or 'url', not both"),
        ({"url": "https://127.0.0.1:9001"}, "no https"),
        ({"programs": []}, "at least one text"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, rule):
    with pytest.raises(InvalidInput, match=rule):
        parse([{"type": "supervisor", **options}])
