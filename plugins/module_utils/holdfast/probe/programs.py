# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running another program in the time that a check has."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import IO

from .checks import Unhealthy, excerpt
from .deadline import Deadline

_KEPT = 1 << 20
_CHUNK = 1 << 16
_LAST_WORDS_S = 0.5
_RUNNING: set[int] = set()


class _Listener(threading.Thread):
    """Reads a command's output to its end and keeps the first MiB, so that a flood fills no memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), _CHUNK):
                self._kept += chunk[: _KEPT - len(self._kept)]

    def text(self) -> str:
        """What came so far."""
        return bytes(self._kept).decode(errors="replace")


def run_program(words: Sequence[str], deadline: Deadline, folder: str | None = None) -> tuple[int, str]:
    """The exit status of a program, negative for a signal, and what it printed, errors included, up to one MiB.

    No shell is involved. Raises Unhealthy when it cannot be run, or when its time is over: then it is killed with all
    that it started.
    """
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise Unhealthy(f"the command cannot be run: {error}") from error
    assert process.stdout is not None
    _RUNNING.add(process.pid)
    listener = _Listener(process.stdout)
    try:
        status = process.wait(deadline.left())
    except (TimeoutError, subprocess.TimeoutExpired):
        _kill(process.pid)
        process.wait()
        listener.join(_LAST_WORDS_S)
        raise Unhealthy(f"the command did not end within {deadline.seconds:g} s ({said(listener.text())})") from None
    finally:
        _RUNNING.discard(process.pid)
    # Something that the command left in the background may hold its output open for ever.
    listener.join(_LAST_WORDS_S)
    return status, listener.text()


def end_programs() -> None:
    """Kill all programs that run, with all that they started: they have sessions of their own, and would go on."""
    for pid in list(_RUNNING):
        _kill(pid)


def _kill(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def said(output: str) -> str:
    """The beginning of what a program printed, in words."""
    return f"its output: {excerpt(output)}" if output.strip() else "no output"
