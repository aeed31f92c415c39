"""The Laravel application with a queue, workers that are real processes, and a check that looks at them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from .laravel import FIXTURE, env_file
from .processes import end


class Eye:
    """Looks at checks again and again, as a monitor does, and remembers what they noted."""

    def __init__(self) -> None:
        self._later = 0.0
        self._store = Store(clock=lambda: time.time() + self._later)

    def look(self, check: dict[str, Any], *, later: float = 0) -> Result:
        """What comes of a check when the clock is ahead by `later` seconds."""
        self._later = later
        return run_round(parse([check]), self._store)[0]


@dataclass
class QueueApp:
    """An application in releases, below a root."""

    root: Path
    check: dict[str, Any]
    workers: ExitStack = field(default_factory=ExitStack)
    eye: Eye = field(default_factory=Eye)

    def look(self, *, later: float = 0, **options: Any) -> Result:
        """What the check says of the application, at a time that is `later`."""
        return self.eye.look({**self.check, **options}, later=later)

    def artisan(self, *words: str) -> str:
        """Run a command of the current release."""
        argv = ["php", str(self.root / "current/artisan"), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, cwd=self.root).stdout

    def push(self, does: str, file: Path | None = None, *options: str) -> None:
        """Put a job on the queue."""
        self.artisan("push", does, *([str(file)] if file else []), *options)

    def worker(self, *options: str, retry_after: int = 90) -> subprocess.Popen[bytes]:
        """A worker, started as Supervisor does; it ends with the application."""
        process = subprocess.Popen(
            ["php", str(self.root / "current/artisan"), "queue:work", "--sleep=0.05", *options],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "QUEUE_RETRY_AFTER": str(retry_after)},
        )  # fmt: skip
        self.workers.callback(_end_stopped, process)
        return process

    def release(self, name: str) -> Path:
        """Make a further release current."""
        folder = self.root / "releases" / name
        shutil.copytree(FIXTURE, folder)
        (folder / ".env").symlink_to(self.root / ".env")
        link = self.root / "next"
        link.symlink_to(folder)
        link.replace(self.root / "current")
        return folder


def _end_stopped(process: subprocess.Popen[bytes]) -> None:
    """End a process that may be stopped, in which case it would not hear TERM."""
    process.send_signal(signal.SIGKILL)
    end(process)


@contextlib.contextmanager
def queue_app(root: Path, check: dict[str, Any], env: dict[str, object]) -> Iterator[QueueApp]:
    """An application whose failed jobs, and jobs unless its queue is another, are in a database of SQLite."""
    database = root / "app.sqlite"
    root.mkdir()
    database.touch()
    (root / ".env").write_text(env_file("sqlite", DB_DATABASE=database, **env))
    app = QueueApp(root, {"type": "queue", "path": str(root), **check})
    app.release("1")
    app.artisan("migrate", "--force")
    with app.workers:
        yield app
