# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application's own commands, one after the other until one fails."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import HoldfastError, InvalidInput

_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|_URL$", re.IGNORECASE)
_SHOWN = 2000
# Symfony's console, and with it artisan, asks `stty` for a width it is not told (Symfony\Component\Console\Terminal).
# That child would inherit the secrets which Laravel puts into the environment from .env.
_TERMINAL = {"COLUMNS": "120", "LINES": "40"}


@dataclass(frozen=True)
class Command:
    """One command as words, never seen by a shell; skipped when the folder has no `if_exists`."""

    words: tuple[str, ...]
    if_exists: str | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended. `seconds` is how long it took."""

    cmd: str
    rc: int
    stdout: str
    stderr: str
    seconds: float


class CommandFailed(HoldfastError):
    """A command ended badly; `results` are those of all that ran, it being the last."""

    def __init__(self, message: str, results: Sequence[Ended]) -> None:
        super().__init__(message)
        self.results = [asdict(one) for one in results]


def parse(entry: str | Mapping[str, Any]) -> Command:
    """A command from a text, split as a shell would but not run by one. Raises InvalidInput."""
    text = entry if isinstance(entry, str) else str(entry.get("cmd") or "")
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidInput(f"The command {text!r} cannot be split into words: {error}.") from None
    if not words:
        raise InvalidInput(f"There is no command in {entry!r}.")
    return Command(words, None if isinstance(entry, str) else entry.get("if_exists"))


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values of an environment that must not be shown, by what they are called."""
    return [value for name, value in environment.items() if _SECRET_NAME.search(name) and value]


def wanted(commands: Sequence[Command], folder: Path) -> list[Command]:
    """Those of the commands that apply in this folder."""
    return [one for one in commands if one.if_exists is None or (folder / one.if_exists).exists()]


def run_all(commands: Sequence[Command], folder: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run the commands in `folder`. Raises CommandFailed at the first that cannot be run or ends badly."""
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {folder} to run commands in.")
    results: list[Ended] = []
    for command in wanted(commands, folder):
        ended = _run(command, folder, {**_TERMINAL, **os.environ, **environment, "PWD": str(folder)})
        results.append(ended)
        if ended.rc != 0:
            said = (ended.stderr.strip() or ended.stdout.strip())[-_SHOWN:]
            raise CommandFailed(f"The command `{ended.cmd}` ended with status {ended.rc}: {said}", results)
    return [asdict(one) for one in results]


def _run(command: Command, folder: Path, environment: Mapping[str, str]) -> Ended:
    started = time.monotonic()
    shown = shlex.join(command.words)
    try:
        done = subprocess.run(
            command.words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        return Ended(shown, 127, "", f"it cannot be run: {error.strerror}", 0.0)
    return Ended(
        shown,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
        round(time.monotonic() - started, 3),
    )
