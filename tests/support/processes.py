"""Throw-away server processes: started, waited for, and ended by their own pid."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

START_LIMIT_S = 60.0


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, limit: float = START_LIMIT_S) -> None:
    """Wait for a condition. Raises TimeoutError that says what did not happen."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit:.0f} s: {what}")
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether something accepts connections on a port of the loopback."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def give_to(user: str, *paths: Path) -> None:
    """Make paths a user's own, where we are root; a server that will not run as root needs its folder."""
    if os.getuid() == 0:
        entry = pwd.getpwnam(user)
        for path in paths:
            os.chown(path, entry.pw_uid, entry.pw_gid)


def as_user(user: str) -> list[str]:
    """What goes before a command so that it runs as a user, where we are root."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if os.getuid() == 0 else []


@contextlib.contextmanager
def running(argv: Sequence[str], log: Path, ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """A server from when it is ready to the end of the block. Shows its log when it does not come up."""
    with open(log, "ab") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        try:
            wait_until(lambda: ready() or process.poll() is not None, f"{argv[0]} is ready")
            if process.poll() is not None:
                raise RuntimeError(f"{argv[0]} ended with status {process.returncode}")
        except Exception as error:
            raise RuntimeError(f"{argv[0]} did not start: {log.read_text(errors='replace')[-4000:]}") from error
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours, by force when it does not within a while."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
