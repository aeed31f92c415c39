"""A throw-away Redis server."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .processes import free_port, running


@dataclass(frozen=True)
class Redis:
    """A running server."""

    socket: Path
    port: int
    pid: int
    password: str = ""

    def cli(self, *words: object) -> str:
        """What redis-cli prints."""
        login = ["--no-auth-warning", "-a", self.password] if self.password else []
        argv = ["redis-cli", "-s", str(self.socket), *login, *map(str, words)]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def redis(folder: Path, *options: str, password: str = "") -> Iterator[Redis]:
    """A server in a folder, on a socket and a port of the loopback; later options count."""
    folder.mkdir(exist_ok=True)
    socket, port = folder / "redis.sock", free_port()
    argv = [
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", str(socket), "--dir", str(folder),
        "--save", "", "--daemonize", "no", *(["--requirepass", password] if password else []), *options,
    ]  # fmt: skip
    with running(argv, folder / "log", socket.exists) as process:
        yield Redis(socket, port, process.pid, password)
