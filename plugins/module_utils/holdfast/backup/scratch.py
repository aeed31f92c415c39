# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases for a while: removed at the end, or by the next run when this one is killed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..engines import Engine
from ..errors import DatabaseError

_NOTE = ".scratch-"


@contextlib.contextmanager
def scratch(engine: Engine, folder: Path, settings: Mapping[str, str]) -> Iterator[Engine]:
    """An empty database beside the engine's own, made with `settings`.

    A note in `folder` says that it is there, and is locked while this process lives. Raises DatabaseError when the
    login may not create one.
    """
    sweep(engine, folder)
    other = engine.beside(engine.scratch_name(folder))
    note = folder / f"{_NOTE}{Path(other.login.database).name}.json"
    with open(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        json.dump(_place(other), lock)
        lock.flush()
        try:
            other.create(settings)
        except DatabaseError as error:
            note.unlink()
            raise DatabaseError(f"{error} {engine.scratch_hint}") from error
        try:
            yield other
        finally:
            other.drop()
            note.unlink()


def sweep(engine: Engine, folder: Path) -> None:
    """Remove what killed runs left on the server that this login reaches."""
    for note in folder.glob(f"{_NOTE}*.json"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), open(note) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_left(engine, note, lock.read())


def _remove_left(engine: Engine, note: Path, text: str) -> None:
    # What is not even written down whole was never created.
    if text.endswith("}"):
        place = json.loads(text)
        left = engine.beside(place["database"])
        if place != _place(left):
            return
        left.drop()
    note.unlink()


def _place(engine: Engine) -> dict[str, Any]:
    """Which database of which server, without the login's secret."""
    login = engine.login
    return {
        "engine": engine.name,
        "host": login.login_host,
        "port": login.login_port,
        "unix_socket": login.login_unix_socket,
        "database": login.database,
    }
