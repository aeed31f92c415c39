"""A throw-away systemd: a user's manager, which needs no boot, with a /run of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from .processes import running

# sd_booted(3) looks for the folder; the manager would not start without it.
_START = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec /lib/systemd/systemd --user"


@contextlib.contextmanager
def systemd(folder: Path, units: Mapping[str, str]) -> Iterator[Path]:
    """A manager with these units, by name and content, none of them started; gives its XDG_RUNTIME_DIR."""
    for name, content in units.items():
        (folder / name).write_text(content)
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    settings = {"XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder), "SYSTEMD_UNIT_PATH": f"{folder}:"}
    argv = ["env", *(f"{name}={value}" for name, value in settings.items()), "unshare", "--mount", "sh", "-c", _START]
    with running(argv, folder / "systemd.log", lambda: _is_up(runtime)):
        yield runtime


def systemctl(runtime: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What systemctl does for the manager."""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
    return subprocess.run(["systemctl", "--user", *words], env=environment, capture_output=True, text=True)


def _is_up(runtime: Path) -> bool:
    return systemctl(runtime, "is-active", "basic.target").returncode == 0
