# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a deploy: what it has done so far and how to undo it. While one is open it is the lock, too."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .errors import HoldfastError, InvalidInput, Locked, NotFound
from .files import make_dirs, write_json
from .names import new_stamp, short_id, stamp_of

Journal = dict[str, Any]
STATE_DIR = ".holdfast"
CURRENT = "current"
RELEASES = "releases"
_JOURNAL = "journal.json"
_HISTORY = "history"
_HISTORY_KEPT = 20
_POLL_S = 0.5


def state_dir(path: Path) -> Path:
    """Where Holdfast keeps what it knows of an application."""
    return path / STATE_DIR


def current_release(path: Path) -> str | None:
    """The id of the live release, by the link itself; None when there is none, or its folder is gone."""
    link = path / CURRENT
    return os.path.basename(os.readlink(link)) if link.is_symlink() and link.exists() else None


def check_current(path: Path) -> None:
    """Raise HoldfastError when `current` is something that could not be switched, or not be switched back to."""
    link = path / CURRENT
    if not link.exists():
        return
    if not link.is_symlink():
        raise HoldfastError(f"{link} is not a symbolic link. Move it away; Holdfast never replaces a real folder.")
    target = path / os.readlink(link)
    if os.path.realpath(target.parent) != os.path.realpath(path / RELEASES):
        raise HoldfastError(
            f"{link} points to {target}, which is not in {path / RELEASES}. Move that folder there and point the link"
            " at it, so that there is a way back to it; or remove the link."
        )


def prepare(path: Path) -> None:
    """Make the application's folder and the private one in it. Raises HoldfastError."""
    make_dirs(path)
    make_dirs(state_dir(path), 0o700)


@contextlib.contextmanager
def exclusive(path: Path, name: str) -> Iterator[None]:
    """Hold the file lock `name` of an application; the kernel frees it however the process ends (flock(2))."""
    try:
        handle = os.open(state_dir(path) / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HoldfastError(f"Cannot write to {state_dir(path)}: {error.strerror}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read(path: Path) -> Journal | None:
    """The open journal, or None. Raises HoldfastError when it cannot be read."""
    file = state_dir(path) / _JOURNAL
    try:
        value: Journal = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HoldfastError(f"The journal {file} cannot be read: {error}. Look at it before you deploy.") from error
    return value


def last_closed(path: Path) -> Journal | None:
    """The journal that was closed last, or None."""
    files = sorted((state_dir(path) / _HISTORY).glob("*.json"))
    return json.loads(files[-1].read_bytes()) if files else None


def open_journal(
    path: Path, app: str, owner: Mapping[str, Any], *, stale_after: float, wait: float = 0, takeover: str | None = None
) -> Journal:
    """Open a journal, which locks the application on this host. Times in seconds.

    A journal whose owner was not heard of for `stale_after`, or that is named by `takeover` as one whose owner is
    known dead, is taken over: it stands in the new one as `unfinished` until a step `recovered` is noted.
    Raises Locked when another owner lives, after waiting for `wait`, and HoldfastError as `check_current` does.
    """
    check_current(path)
    prepare(path)
    deadline = time.monotonic() + wait
    while True:
        with exclusive(path, "journal.lock"):
            held = read(path)
            if held is None or held["id"] == takeover or _silence(held) >= stale_after:
                return _begin(path, app, owner, held)
        if time.monotonic() >= deadline:
            raise Locked(_who(held))
        time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))


def check_free(path: Path, *, stale_after: float, takeover: str | None = None) -> Journal | None:
    """What opening would find, without opening. Raises Locked. Returns what would be taken over."""
    check_current(path)
    held = read(path)
    if held is not None and held["id"] != takeover and _silence(held) < stale_after:
        raise Locked(_who(held))
    return held


def _begin(path: Path, app: str, owner: Mapping[str, Any], held: Journal | None) -> Journal:
    unfinished = None
    if held is not None:
        # One that had not yet undone its own predecessor when it died has done nothing else either.
        unfinished = held["unfinished"] or {key: value for key, value in held.items() if key != "unfinished"}
    journal: Journal = {
        "id": f"{new_stamp([held['id']] if held else [])}-{short_id()}",
        "app": app,
        "owner": dict(owner),
        "opened_at": _now(),
        "heard_at": _now(),
        "release": None,
        "previous": current_release(path),
        "step": "opened",
        "steps": [],
        "data": {},
        "unfinished": unfinished,
    }
    write_json(state_dir(path) / _JOURNAL, journal, 0o600)
    return journal


def note(path: Path, identifier: str, step: str, *, release: str | None, data: Mapping[str, Any]) -> Journal:
    """Write down, durably, what is about to be done. Raises NotFound when the journal is not the open one."""
    with exclusive(path, "journal.lock"):
        journal = _own(path, identifier)
        journal["step"] = step
        journal["heard_at"] = _now()
        journal["steps"].append({"at": _now(), "step": step})
        journal["data"].update(data)
        journal["release"] = release or journal["release"]
        if step == "recovered":
            journal["unfinished"] = None
            journal["previous"] = current_release(path)
        write_json(state_dir(path) / _JOURNAL, journal, 0o600)
    return journal


def close(path: Path, identifier: str, outcome: str, message: str = "") -> bool:
    """End the journal and with it the lock; returns whether it was open still. Raises NotFound."""
    with exclusive(path, "journal.lock"):
        history = state_dir(path) / _HISTORY
        if (history / f"{identifier}.json").exists() and (read(path) or {}).get("id") != identifier:
            return False
        journal = _own(path, identifier)
        if journal["unfinished"]:
            raise InvalidInput(
                f"The journal {identifier} took over {journal['unfinished']['id']}, which is not undone."
            )
        journal.update(outcome=outcome, message=message, closed_at=_now())
        make_dirs(history, 0o700)
        write_json(history / f"{identifier}.json", journal, 0o600)
        (state_dir(path) / _JOURNAL).unlink()
        for old in sorted(history.glob("*.json"))[:-_HISTORY_KEPT]:
            old.unlink()
    return True


def _own(path: Path, identifier: str) -> Journal:
    if stamp_of(identifier) is None or "/" in identifier:
        raise InvalidInput(f"{identifier!r} is not the id of a journal.")
    journal = read(path)
    if journal is None or journal["id"] != identifier:
        holder = f"the open one is {journal['id']}" if journal else "none is open"
        raise NotFound(f"The journal {identifier} of {path} is not open any more: {holder}. Another run took it over.")
    return journal


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _silence(journal: Journal) -> float:
    """Seconds since the owner was heard of."""
    heard = datetime.fromisoformat(journal["heard_at"])
    return (datetime.now(timezone.utc) - heard).total_seconds()


def _who(journal: Journal) -> str:
    owner = journal["owner"]
    return (
        f"Another deploy of {journal['app']} is running: {owner.get('user', '?')} on {owner.get('node', '?')}"
        f" (process {owner.get('pid', '?')}), since {journal['opened_at']}, at step {journal['step']!r},"
        f" last heard of {_silence(journal):.0f} s ago. Wait for it (deploy_lock_wait), or end it and try again."
    )
