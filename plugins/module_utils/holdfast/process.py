# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs as stages of a stream: every exit status counts, and secrets travel in memory only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO

from .errors import MissingTool, ToolFailed

# Pieces of this size come from memory the allocator keeps at hand; larger ones cost a page fault per 4 KiB, each time.
CHUNK = 1 << 18
_PIPE_SIZE = 1 << 20
_STDERR_KEPT = 4000
_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ is known to Python since 3.10 only


def require_tool(package: str, *names: str) -> str:
    """The path of the first of `names` found on PATH. Raises MissingTool that names the Debian `package`."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise MissingTool(names[0], package)


@contextlib.contextmanager
def secret_file(content: str) -> Iterator[tuple[str, int]]:
    """A file of mode 0600 that lives in memory only; yields its path for children and its descriptor.

    memfd_create(2): the file has no name on any disk and is gone with the last process that holds it open,
    however that process ends. A child finds it at the path when it is started with `pass_fds=[descriptor]`.
    """
    descriptor = os.memfd_create("holdfast", 0)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, content.encode())
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


class Tool:
    """One running program of a stream; its error text is read side by side so that it can never block.

    As a context manager it kills the program when the block is left by an exception, and otherwise waits for
    it and raises ToolFailed for any status but 0. With `large_writes` a program that writes through C's standard
    library does so in pieces of CHUNK bytes instead of 4 KiB.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        env: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        large_writes: bool = False,
    ) -> None:
        self.name = os.path.basename(argv[0])
        self._process = subprocess.Popen(
            [*(_large_writes() if large_writes else ()), *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            pass_fds=tuple(pass_fds),
            bufsize=CHUNK,
        )
        _widen(self._process.stdin, self._process.stdout)
        self._said = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._said += line
                del self._said[:-_STDERR_KEPT]

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe into the program (only when it was started with one)."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe out of the program (only when it was started with one)."""
        assert self._process.stdout is not None
        return self._process.stdout

    def chunks(self) -> Iterator[bytes]:
        """The program's output in pieces of CHUNK bytes, the last one shorter."""
        while chunk := self.stdout.read(CHUNK):
            yield chunk

    def finish(self) -> None:
        """Close the input, wait for the end, and raise ToolFailed when it was not a good one."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        status = self._process.wait()
        self._listener.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if status != 0:
            raise ToolFailed(self.name, status, self._said.decode(errors="replace"))

    def __enter__(self) -> Tool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, _: TracebackType | None) -> None:
        if kind is None or kind is BrokenPipeError:
            # A broken pipe is only the echo of the program's own failure, which finish() reports.
            self.finish()
            return
        self._process.kill()
        with contextlib.suppress(ToolFailed):
            self.finish()


def _large_writes() -> list[str]:
    """What to put before a command: stdbuf(1) of coreutils, which becomes that command; nothing where it is missing."""
    stdbuf = shutil.which("stdbuf")
    return [stdbuf, f"-o{CHUNK}"] if stdbuf else []


def _widen(*pipes: IO[bytes] | None) -> None:
    """Give pipes the largest size a plain user may ask for, so that both ends wake up less often.

    F_SETPIPE_SZ of fcntl(2), 1 MiB by default in /proc/sys/fs/pipe-max-size; a smaller pipe works as well.
    """
    for pipe in pipes:
        if pipe is not None:
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_SIZE)
