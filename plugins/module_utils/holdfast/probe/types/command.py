# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a command ends well. No shell is involved."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from typing import IO

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen, Unhealthy, excerpt
from ..deadline import Deadline

_KEPT = 1 << 20
_CHUNK = 1 << 16
_LAST_WORDS_S = 0.5


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


def check_command(look: Look) -> Seen:
    """Run a command; when its time is over it is killed with all that it started."""
    options, deadline = look.options, look.deadline
    status, output = _run(options["command"], options["chdir"], deadline)
    if status not in options["exit_status"]:
        wanted = " or ".join(map(str, options["exit_status"]))
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise Unhealthy(f"expected exit status {wanted}, got {how} ({_said(output)})")
    expected = options["output_contains"]
    if expected is not None and expected not in output:
        raise Unhealthy(f"expected the output to contain {expected!r} ({_said(output)})")
    return Seen(f"exit status {status}")


def _run(words: list[str], folder: str | None, deadline: Deadline) -> tuple[int, str]:
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
    listener = _Listener(process.stdout)
    try:
        status = process.wait(deadline.left())
    except (TimeoutError, subprocess.TimeoutExpired):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        listener.join(_LAST_WORDS_S)
        said = _said(listener.text())
        raise Unhealthy(f"the command did not end within {deadline.seconds:g} s ({said})") from None
    # Something that the command left in the background may hold its output open for ever.
    listener.join(_LAST_WORDS_S)
    return status, listener.text()


def _said(output: str) -> str:
    return f"its output: {excerpt(output)}" if output.strip() else "no output"


COMMAND = CheckType(
    options={
        "command": Option(opt.words, required=True),
        "chdir": Option(opt.text),
        "exit_status": Option(opt.integers, [0]),
        "output_contains": Option(opt.text),
    },
    run=check_command,
    target=lambda options: excerpt(shlex.join(options["command"])),
    component="system",
    may_change=lambda _: True,
)
