# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing results for others to read: each file as a whole, and readable by all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..files import write_atomic
from .history import History
from .page import page
from .report import as_health_json, as_prometheus
from .run import Outcome


@dataclass(frozen=True)
class Files:
    """Where to write; None for what is not wanted."""

    health_json: Path | None = None
    prometheus: Path | None = None
    page: Path | None = None


def write(files: Files, outcome: Outcome, title: str, interval: float | None = None) -> list[str]:
    """Write the files, and beside the page its history. Returns a sentence for each that could not be written.

    `interval` is in how many seconds they are written again, None when nobody knows.
    """
    wanted: list[tuple[Path | None, Callable[[], str]]] = [
        (files.health_json, lambda: json.dumps(as_health_json(outcome), indent=2) + "\n"),
        (files.prometheus, lambda: as_prometheus(outcome)),
    ]
    problems = [_write(path, text()) for path, text in wanted if path]
    if files.page:
        problems += _write_page(files.page, outcome, title, interval)
    return [one for one in problems if one]


def _write_page(path: Path, outcome: Outcome, title: str, interval: float | None) -> list[str]:
    kept = path.with_name(f".{path.name}.history")
    history = History.load(kept)
    history.add(outcome.results, outcome.at)
    problems = [_write(path, page(outcome, history, title, interval))]
    try:
        history.save(kept)
    except OSError as error:
        problems.append(_cannot(kept, error))
    return problems


def _write(path: Path, text: str) -> str:
    try:
        write_atomic(path, text.encode(errors="replace"), 0o644)
    except OSError as error:
        return _cannot(path, error)
    return ""


def _cannot(path: Path, error: OSError) -> str:
    return f"Cannot write {path}: {error.strerror}."
