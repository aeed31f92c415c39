# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling people how something stands: once when that changes, and again while it stays bad."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .errors import InvalidInput, MissingLibrary
from .files import PRIVATE_DIR, PRIVATE_FILE, make_dirs, write_json

STATUSES = ("ok", "failed", "missed")
_WORDS = {
    "success": "is well",
    "recovery": "is well again",
    "failed": "FAILED",
    "missed": "is MISSING",
    "reminder of failed": "still FAILS",
    "reminder of missed": "is still MISSING",
}
_WORKERS = 8


@dataclass(frozen=True)
class Told:
    """What people were last told of a subject, and when."""

    status: str
    at: datetime


@dataclass(frozen=True)
class Outcome:
    """What was told: `kind` is None when there was no reason to. `problems` has a sentence for each failed service."""

    kind: str | None
    sent: int = 0
    problems: tuple[str, ...] = ()


def due(last: Told | None, status: str, now: datetime, remind_every: float) -> str | None:
    """Which kind of message a status calls for after `last`, None for none; the interval is in seconds."""
    if last and status == last.status:
        late = status != "ok" and (now - last.at).total_seconds() >= remind_every
        return f"reminder of {status}" if late else None
    if status == "ok":
        return "recovery" if last else "success"
    return status


def preview(folder: Path, subject: str, status: str, now: datetime, remind_every: float) -> str | None:
    """Which kind of message `tell` would send."""
    return due(_last(_note(folder, subject)), status, now, remind_every)


def tell(urls: Sequence[str], folder: Path, subject: str, status: str, text: str, remind_every: float) -> Outcome:
    """Send a message to all services if one is due, and note in `folder` what was told.

    A message that no service took counts as not told, so that the next run tries again. Raises MissingLibrary, or
    InvalidInput when a URL is none that Apprise knows; never for a service that fails.
    """
    services = _services(urls)
    now = datetime.now(timezone.utc)
    kind = preview(folder, subject, status, now, remind_every)
    if kind is None:
        return Outcome(None)
    sent, problems = _send_all(services, f"{subject} {_WORDS[kind]}", text, good=status == "ok")
    if sent:
        make_dirs(folder, PRIVATE_DIR)
        write_json(_note(folder, subject), {"subject": subject, "status": status, "at": now.isoformat()}, PRIVATE_FILE)
    return Outcome(kind, sent, problems)


def send(urls: Sequence[str], title: str, text: str, *, good: bool) -> tuple[int, tuple[str, ...]]:
    """Send a message to all services: how many took it, and a sentence for each that did not. Raises as `tell`."""
    return _send_all(_services(urls), title, text, good=good)


def _send_all(services: Sequence[Any], title: str, text: str, *, good: bool) -> tuple[int, tuple[str, ...]]:
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(lambda service: _send(service, title, text, good), services))
    problems = tuple(
        f"The notification {title!r} could not be sent to {service.url(privacy=True)}."
        for service, well in zip(services, found)
        if not well
    )
    return found.count(True), problems


def _services(urls: Sequence[str]) -> list[Any]:
    return [_service(url, number) for number, url in enumerate(urls, 1)]


def _service(url: str, number: int) -> Any:
    try:
        import apprise
    except ImportError:
        raise MissingLibrary("apprise") from None
    service = apprise.Apprise.instantiate(url)
    if service is None:
        # The URL itself may hold a password.
        raise InvalidInput(f"Number {number} of the urls is none that Apprise knows (see its list of services).")
    return service


def _send(service: Any, title: str, text: str, good: bool) -> bool:
    try:
        return bool(service.notify(title=title, body=text, notify_type="success" if good else "failure"))
    except Exception:
        # Whatever goes wrong in one of a hundred plugins must not fail what it tells of.
        return False


def _note(folder: Path, subject: str) -> Path:
    return folder / f"told-{hashlib.sha256(subject.encode()).hexdigest()[:12]}.json"


def _last(note: Path) -> Told | None:
    try:
        found = json.loads(note.read_bytes())
        return Told(found["status"], datetime.fromisoformat(found["at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
