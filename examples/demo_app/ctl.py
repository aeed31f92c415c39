#!/usr/bin/env python3
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop, restart or reload the web server or the worker, and switch maintenance on or off.

What Supervisor or systemd do for a real application, without root: a process of its own session, a file
with its number in run/, and a return only when the thing asked for is so.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from layout import BYPASS_COOKIE, MAINTENANCE, PORT, RELEASE, RUN

SCRIPTS = {"web": "server.py", "worker": "worker.py"}
LIMIT_S = 10.0
POLL_S = 0.02


def running(name: str) -> int | None:
    """The number of the process `name`, or None when there is none."""
    with contextlib.suppress(OSError, ValueError):
        number = int((RUN / f"{name}.pid").read_text())
        # A number may be another program's by now: ours is known by its script.
        if SCRIPTS[name].encode() in Path(f"/proc/{number}/cmdline").read_bytes():
            return number
    return None


def wait(condition: Callable[[], bool]) -> bool:
    """Look until `condition` holds; False when it does not within LIMIT_S seconds."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def answering_release() -> str | None:
    """The release whose server answers on the port; an empty text for one that answers with an error."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=LIMIT_S)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health", headers={"Cookie": BYPASS_COOKIE})
        return str(json.loads(connection.getresponse().read()).get("release", ""))
    return None


def start(name: str) -> None:
    """Start `name` from this release unless it runs; for the web server wait until it answers."""
    if running(name):
        return
    RUN.mkdir(exist_ok=True)
    with open(RUN / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(RELEASE / SCRIPTS[name])],
            cwd=RELEASE,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (RUN / f"{name}.pid").write_text(str(process.pid))

    def settled() -> bool:
        return process.poll() is not None or name != "web" or answering_release() is not None

    if not wait(settled) or process.poll() is not None:
        sys.exit(f"{name} did not start: see {RUN / f'{name}.log'}")


def stop(name: str) -> None:
    """Ask `name` to end and wait for it; one that does not end in time is killed."""
    number = running(name)
    if number is None:
        return
    os.kill(number, signal.SIGTERM)
    if not wait(lambda: running(name) is None):
        os.kill(number, signal.SIGKILL)
        wait(lambda: running(name) is None)
    (RUN / f"{name}.pid").unlink(missing_ok=True)


def reload(name: str) -> None:
    """Let the web server become the live release without refusing a request; the worker is restarted."""
    number = running(name)
    if name != "web" or number is None:
        restart(name)
        return
    os.kill(number, signal.SIGHUP)
    # A release whose health route is broken answers without its name: that is the health gate's business.
    if not wait(lambda: running(name) is None or answering_release() in {RELEASE.name, ""}):
        sys.exit(f"{name} did not become {RELEASE.name}: see {RUN / f'{name}.log'}")
    if running(name) is None:
        start(name)


def restart(name: str) -> None:
    """Stop `name`, then start it from this release."""
    stop(name)
    start(name)


def maintenance(state: str) -> None:
    """Switch maintenance on or off: while the file is there, the server answers 503."""
    if state == "on":
        RUN.mkdir(exist_ok=True)
        MAINTENANCE.touch()
    else:
        MAINTENANCE.unlink(missing_ok=True)


ACTIONS = {"start": start, "stop": stop, "restart": restart, "reload": reload, "maintenance": maintenance}


def main() -> None:
    """Do what the two arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name, action in ACTIONS.items():
        choices = ["on", "off"] if action is maintenance else list(SCRIPTS)
        actions.add_parser(name, help=action.__doc__).add_argument("name", choices=choices)
    asked = parser.parse_args()
    ACTIONS[asked.action](asked.name)


if __name__ == "__main__":
    main()
