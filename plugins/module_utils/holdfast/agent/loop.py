# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking again and again. Each look is made by a child, so that its memory is given back when it ends.

What a look takes is imported in the child alone: this process keeps only what it must know from one look to the next.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import HoldfastError, Locked
from . import DEFAULT_INTERVAL_S
from .status import kept_config, remembered, state_dir

_LOOK_LIMIT_S = 300.0
_GRACE_S = 2.0
_WRONG_CONFIG = 2


def next_look(now: float, interval: float) -> float:
    """When to look next: at the next multiple of the interval, in seconds since 1970."""
    return (now // interval + 1) * interval


def lock(folder: Path) -> int:
    """The right to be the agent of a folder, until the process ends. Raises Locked when another has it."""
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # no room for a lock is no reason not to look
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Locked(f"Another agent is at work in {folder}.") from None
    return descriptor


class Loop:
    """What is kept from one look to the next: what the last one returned, and the last good configuration."""

    def __init__(self, config_file: Path) -> None:
        self._config_file = config_file
        self._child = 0
        self._program = _stamp()
        folder = state_dir(config_file)
        self._good = kept_config(folder)
        self._lock = lock(folder)
        self._memory = remembered(folder)

    def run(self) -> int:
        """Look until told to end. Returns the exit status: 2 when the very first configuration is wrong."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        try:
            while True:
                if self._look() == _WRONG_CONFIG and not self._good:
                    return _WRONG_CONFIG
                now = time.time()
                time.sleep(next_look(now, self._memory.get("interval", DEFAULT_INTERVAL_S)) - now)
                self._start_anew_if_replaced()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            if self._child:
                self._end_child()

    def _look(self) -> int:
        """Have a child look. Returns its exit status."""
        reader, writer = os.pipe()
        sys.stderr.flush()
        self._child = os.fork()
        if not self._child:
            os.close(reader)
            os._exit(_look_as_child(self._config_file, self._good, self._memory, writer))
        os.close(writer)
        answer = _read(reader)
        os.close(reader)
        status = self._end_child() if answer is None else _status(os.waitpid(self._child, 0))
        self._child = 0
        if status == 0 and answer:
            self._good, self._memory = json.loads(answer)
        else:
            how = f"was killed after {_LOOK_LIMIT_S:.0f} s" if answer is None else f"ended with status {status}"
            self._memory["crash"] = f"The agent's last look {how}; its log says more."
        return status

    def _end_child(self) -> int:
        """Have the child end with all that it runs, and kill it when it does not. Returns its exit status."""
        end = time.monotonic() + _GRACE_S
        os.kill(self._child, signal.SIGTERM)
        while not (ended := os.waitpid(self._child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(self._child, signal.SIGKILL)
            time.sleep(0.01)
        return _status(ended)

    def _start_anew_if_replaced(self) -> None:
        """Become the new version when the file that this one was started from has been replaced."""
        if _stamp() not in (self._program, None):
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - the same interpreter, no shell


def _status(ended: tuple[int, int]) -> int:
    return os.waitstatus_to_exitcode(ended[1])


def _look_as_child(config_file: Path, good: str, memory: dict[str, Any], writer: int) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        from .tick import keep_config, load, tick

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end_look)
        config, text, wrong = load(config_file, good)
        answer = json.dumps([text, tick(config, wrong, memory)]).encode()
        keep_config(config, text)
        with open(writer, "wb") as pipe:
            pipe.write(answer)
        return 0
    except HoldfastError as error:
        print(error, file=sys.stderr, flush=True)
        return _WRONG_CONFIG
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1


def _end_look(number: int, frame: FrameType | None) -> None:
    from ..probe.programs import end_programs

    end_programs()
    os._exit(1)


def _read(reader: int) -> bytes | None:
    """All that comes until the pipe is closed; None when that takes too long."""
    parts: list[bytes] = []
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    end = time.monotonic() + _LOOK_LIMIT_S
    while poll.poll(max(0.0, end - time.monotonic()) * 1000):
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return None


def _stamp() -> tuple[int, int] | None:
    """What tells the file this program was started from from another in its place."""
    try:
        found = os.stat(sys.argv[0])
        return found.st_ino, found.st_mtime_ns
    except OSError:
        return None


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
