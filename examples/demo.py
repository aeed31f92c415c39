#!/usr/bin/env python3
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys a small application four times, twice badly, and proves that the bad deploys changed nothing.

Everything happens in a temporary folder and on a free port of 127.0.0.1, without root. At the end, on an
error and on Ctrl-C alike, every process that it started is ended and the folder is removed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
APP = PROJECT / "examples" / "demo_app"
MARK = "HOLDFAST_DEMO"  # in the environment of every process of a run, its value is the run's folder
DEPLOY_LIMIT_S = 300
SETTLE_LIMIT_S = 15.0
END_LIMIT_S = 10.0
ITEMS = ("rope", "anchor", "lamp")
CUSTOMERS = ("Ada", "Grace", "Łukasz", "小林", "Zoë 🍏", "O'Brien; --")


class DemoFailed(Exception):
    """The demonstration itself could not go on."""


@dataclass
class Step:
    """One deploy: what it is, what must come of it, what came of it, and how long it took."""

    number: int
    title: str
    expected: str
    seconds: float = 0.0
    happened: str = ""
    checks: list[tuple[str, bool]] = field(default_factory=list)

    def check(self, what: str, good: bool) -> None:
        """Note whether something is as promised, and say so."""
        self.checks.append((what, good))
        print(f"     {'ok ' if good else 'BAD'}  {what}", flush=True)

    @property
    def good(self) -> bool:
        """Whether everything was as promised (and anything was looked at)."""
        return bool(self.checks) and all(good for _, good in self.checks)


@dataclass(frozen=True)
class Snapshot:
    """All that a bad deploy could have changed."""

    answered: Any  # what GET /orders says: every row, every column
    database: list[str]  # the database as SQL: the schema and the rows of every table
    release: str
    version: str


class Demo:
    """One run: its folder, its port, the application it deploys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        shared = folder / "demo" / "shared"
        self.database = shared / "data" / "orders.sqlite"
        self.web_log = shared / "run" / "web.log"
        (folder / "tmp").mkdir()
        for version, parent in ((1, None), (2, 1), (3, 2), (4, 2)):
            self._make_version(version, parent)

    def _make_version(self, version: int, parent: int | None) -> None:
        source = APP if parent is None else self._version_folder(parent)
        left_out = shutil.ignore_patterns("versions", "README.md", "__pycache__")
        shutil.copytree(source, self._version_folder(version), ignore=left_out)
        if parent is not None:
            shutil.copytree(APP / "versions" / str(version), self._version_folder(version), dirs_exist_ok=True)

    def _version_folder(self, version: int) -> Path:
        return self.folder / "versions" / str(version)

    def deploy(self, version: int) -> int:
        """Run deploy.yml for one version as an operator would; returns its exit status."""
        values = {
            "demo_folder": str(self.folder),
            "demo_port": self.port,
            "demo_version_folder": str(self._version_folder(version)),
        }
        argv = [
            _ansible_playbook(),
            "deploy.yml",
            "-i",
            "inventories/demo/hosts.yml",
            "-e",
            json.dumps(values),
        ]
        with open(_log(self.folder, version), "wb") as log:
            # In a session of its own: on Ctrl-C this program decides what ends, and when.
            play = subprocess.Popen(
                argv,
                cwd=PROJECT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                return play.wait(DEPLOY_LIMIT_S)
            except subprocess.TimeoutExpired as error:
                raise DemoFailed(f"The deploy did not end within {DEPLOY_LIMIT_S} s.") from error

    def _environment(self) -> dict[str, str]:
        """The caller's environment without Ansible's settings in it, and with nothing written outside."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_REMOTE_TMP": str(self.folder / "tmp"),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.folder / "tmp"),
            MARK: str(self.folder),
        }

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request to the application: the status and the JSON it answers; status 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        return 0, None

    def order(self, count: int) -> None:
        """Order some things, and wait until the worker has processed them."""
        for number in range(count):
            customer, item = CUSTOMERS[number % len(CUSTOMERS)], ITEMS[number % len(ITEMS)]
            status, said = self.ask("POST", "/orders", {"customer": customer, "item": item, "quantity": number + 1})
            if status != 201:
                raise DemoFailed(f"The application did not take an order: {status} {said}")
        _wait("the worker to process the orders", lambda: all(row["processed_by"] for row in self.orders()))

    def orders(self) -> Any:
        """What GET /orders says: all rows with all columns."""
        status, said = self.ask("GET", "/orders")
        if status != 200:
            raise DemoFailed(f"GET /orders was answered with {status} {said}")
        return said

    def snapshot(self) -> Snapshot:
        """The application and its database as they are now."""
        _, health = self.ask("GET", "/health")
        with contextlib.closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as connection:
            database = list(connection.iterdump())
        return Snapshot(self.orders(), database, health["release"], health["version"])


def good_deploy(demo: Demo, step: Step, orders: int) -> None:
    """Deploy a version that works, look at it, and order some things."""
    version = str(step.number)
    before = demo.orders() if demo.database.exists() else []
    status = _timed(step, lambda: demo.deploy(step.number))
    step.check("ansible-playbook ended well", status == 0)
    if status:
        raise DemoFailed(f"The deploy of version {version} failed.")
    http_status, health = demo.ask("GET", "/health")
    answers = http_status == 200 and health["version"] == version
    step.check(f"version {version} answers, release {health['release']}", answers)
    after = demo.orders()
    kept = len(after) == len(before) and all(old.items() <= new.items() for old, new in zip(before, after, strict=True))
    if before:
        step.check(f"all {len(before)} orders are there, every old value unchanged", kept)
        priced = all(row.get("price_cents") for row in after)
        step.check("the migration gave each of them its price", priced)
    demo.order(orders)
    step.happened = f"version {version} is live, {len(demo.orders())} orders"


def migration_broke(demo: Demo, step: Step) -> tuple[str, bool]:
    """Whether the harm was really done: the migration tells where it broke off."""
    said = _log(demo.folder, step.number).read_text()
    return "the migration did break half-way", "migration 0003_tidy_up broke off" in said


def health_broke(demo: Demo, _: Step) -> tuple[str, bool]:
    """Whether the new code was really live: its server wrote down that it answered with an error."""
    return "the new code did serve, with errors", '" 500 -' in demo.web_log.read_text()


def last_words(log: str) -> tuple[str, ...]:
    """What the play says at its end: what failed, and where things stand."""
    found = re.findall(r"(FAILED at .*) (NOW: .*)", log)
    return found[-1] if found else ()


def bad_deploy(demo: Demo, step: Step, broken: Callable[[Demo, Step], tuple[str, bool]]) -> None:
    """Deploy a version that breaks, and compare everything with how it was before."""
    before = demo.snapshot()
    status = _timed(step, lambda: demo.deploy(step.number))
    step.check(f"ansible-playbook ended with an error (status {status})", status != 0)
    step.check(*broken(demo, step))
    http_status, _ = demo.ask("GET", "/health")
    step.check("maintenance is off: the application answers everybody", http_status == 200)
    after = demo.snapshot()
    step.check(
        f"version {after.version} answers, from the same release as before",
        (after.version, after.release) == (before.version, before.release),
    )
    same = after.answered == before.answered
    step.check(f"the application gives the same {len(before.answered)} orders, every value", same)
    step.check("the database is the same: schema and rows of every table", after.database == before.database)
    demo.order(1)
    worker = demo.orders()[-1]["processed_by"]
    step.check(f"the worker runs that release: it processed a new order as {worker}", worker == before.release)
    for said in last_words(_log(demo.folder, step.number).read_text()):
        print(textwrap.fill(said, 110, initial_indent="     it said: ", subsequent_indent=" " * 14))
    step.happened = f"rolled back to version {after.version}" if step.good else "not as it was before"


def run(demo: Demo, steps: list[Step]) -> None:
    """All the deploys, in order. Raises DemoFailed when one leaves nothing to go on with."""
    good_deploy(demo, steps[0], orders=6)
    good_deploy(demo, steps[1], orders=2)
    bad_deploy(demo, steps[2], migration_broke)
    bad_deploy(demo, steps[3], health_broke)


def plan() -> list[Step]:
    """The steps of the demonstration."""
    return [
        Step(1, "version 1, the first deploy", "goes live"),
        Step(2, "version 2, its migration adds data", "goes live, keeps every order"),
        Step(3, "version 3, its migration breaks half-way", "rolls itself back"),
        Step(4, "version 4, its health check fails", "rolls itself back"),
    ]


def summary(steps: list[Step]) -> str:
    """The table at the end."""
    rows = [("step", "expected", "what happened", "seconds")]
    rows += [
        (f"{step.number} {step.title}", step.expected, step.happened or "not reached", f"{step.seconds:7.1f}")
        for step in steps
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def processes_of(folder: Path) -> list[int]:
    """The numbers of all processes that carry the mark of the run in `folder` (proc(5): /proc/PID/environ)."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def end_processes(folder: Path) -> list[int]:
    """End every process of the run, politely first; returns those that are left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes_of(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        with contextlib.suppress(DemoFailed):
            _wait("processes to end", lambda: not processes_of(folder), END_LIMIT_S)
    return processes_of(folder)


def main() -> int:
    """Run the demonstration; returns 0 when everything was as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs and the backups")
    keep = parser.parse_args().keep
    steps = plan()
    problem = ""
    with _interruptible():
        folder = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
        try:
            demo = Demo(folder)
            print(f"Everything is in {folder}, the application on http://127.0.0.1:{demo.port}")
            if not shutil.which("zstd"):
                print("The program zstd is not on this machine: the backups are compressed with gzip.")
            run(demo, steps)
        except DemoFailed as error:
            problem = str(error)
        except KeyboardInterrupt:
            problem = "Interrupted."
        finally:
            _ignore_interrupts()
            left = end_processes(folder)
            if problem != "Interrupted.":
                _show_log(folder, steps)
            if not keep:
                shutil.rmtree(folder)
    print(f"\n{summary(steps)}\n")
    print(f"Left running: {left or 'nothing'}. Left on disk: {folder if keep else 'nothing'}.")
    if problem or left or not all(step.good for step in steps):
        print(f"NOT as promised. {problem}".rstrip())
        return 1
    print("Everything was as promised.")
    return 0


def _log(folder: Path, version: int) -> Path:
    """Where the output of the deploy of `version` is."""
    return folder / f"deploy-{version}.log"


def _show_log(folder: Path, steps: list[Step]) -> None:
    """What Ansible said in the first step that went wrong, whole."""
    for step in steps:
        log = _log(folder, step.number)
        if not step.good and log.exists():
            print(f"\nWhat ansible-playbook said in step {step.number}:\n{log.read_text()}")
            return


def _timed(step: Step, job: Callable[[], int]) -> int:
    """Do the job, and note in the step how many seconds it took."""
    print(f"\n{step.number}  {step.title}: {step.expected} ... ", end="", flush=True)
    begun = time.monotonic()
    try:
        return job()
    finally:
        step.seconds = time.monotonic() - begun
        print(f"{step.seconds:.1f} s", flush=True)


def _wait(what: str, condition: Callable[[], bool], limit: float = SETTLE_LIMIT_S) -> None:
    """Look until `condition` holds. Raises DemoFailed after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise DemoFailed(f"Waited {limit:.0f} s in vain for {what}.")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ansible_playbook() -> str:
    """The ansible-playbook of this interpreter's environment, or else the one on PATH."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if found is None:
        raise DemoFailed("There is no ansible-playbook. `make demo` installs it into .venv.")
    return found


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Treat every way of being told to stop as Ctrl-C."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    kept = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _ignore_interrupts() -> None:
    """From here on nothing may stop the tidying up; `_interruptible` ends this."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
