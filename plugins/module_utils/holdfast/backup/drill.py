# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill: can the newest backup be brought back, whole and in time?"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..engines import Engine
from ..errors import DamagedBackup, HoldfastError, Locked
from ..files import PRIVATE_DIR, make_dirs, replace_link, write_atomic, write_json
from ..names import stamp, stamp_of
from ..units import span
from .drill_page import page
from .sets import BackupSet
from .verify import verify_set


@dataclass(frozen=True)
class Targets:
    """What was promised, in seconds: how old the newest set may be, and how long it may take to bring it back."""

    rpo: int | None = None
    rto: int | None = None


@dataclass(frozen=True)
class Report:
    """What a drill found. Times are in seconds; those of parts that were not reached are None."""

    app: str
    drilled: str
    host: str
    source: str
    backup: str | None
    database: str | None
    made: str | None
    size: int | None
    tables: int | None
    rows: int | None
    age: float | None
    rpo: int | None
    fetch: float | None
    restore: float | None
    check: float | None
    rto: int | None
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as promised."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """The report as it stands in its file."""
        return {"report_version": 1, "verdict": "passed" if self.passed else "failed", **asdict(self)}

    def sentence(self) -> str:
        """What it comes to."""
        if not self.passed:
            return f"The restore drill of {self.app} FAILED: {' '.join(self.failures)}"
        assert self.fetch is not None and self.restore is not None and self.age is not None
        return (
            f"The restore drill of {self.app} passed: {self.backup}, {span(self.age)} old, was back in"
            f" {span(self.fetch + self.restore)} with {self.rows} rows in {self.tables} tables, all of them equal."
        )


def drill(app: str, source: str, find: Callable[[], BackupSet], engine: Engine, targets: Targets) -> Report:
    """Bring a set here by `find`, rehearse it beside `engine`'s database, and hold the result against the targets.

    What goes wrong is a failure in the report and not an exception.
    """
    now = datetime.now(timezone.utc)
    failures: list[str] = []
    backup: BackupSet | None = None
    fetch: float | None = None
    verified: dict[str, Any] = {}
    started = time.monotonic()
    try:
        backup = find()
        fetch = time.monotonic() - started
        with backup.reading():
            verified = verify_set(backup, engine, "rehearse")
            backup.with_verified(verified)
    except DamagedBackup as error:
        failures.append(str(error))
        if backup:
            backup.forget_verified()
    except HoldfastError as error:
        failures.append(str(error))
    restore: float | None = verified.get("restore_seconds")
    age = (now - _made(backup)).total_seconds() if backup else None
    if age is not None and targets.rpo is not None and age > targets.rpo:
        failures.append(f"The newest backup is {span(age)} old, and {span(targets.rpo)} is the most that may be lost.")
    if fetch is not None and restore is not None and targets.rto is not None and fetch + restore > targets.rto:
        failures.append(f"To bring it back took {span(fetch + restore)}, and {span(targets.rto)} is allowed.")
    tables = backup.manifest.content.tables if backup else None
    return Report(
        app=app,
        drilled=now.isoformat(timespec="seconds"),
        host=socket.gethostname(),
        source=source,
        backup=backup.id if backup else None,
        database=backup.manifest.database if backup else None,
        made=backup.manifest.created if backup else None,
        size=backup.size if backup else None,
        tables=None if tables is None else len(tables),
        rows=None if tables is None else sum(table.rows for table in tables.values()),
        age=None if age is None else round(age, 3),
        rpo=targets.rpo,
        fetch=None if fetch is None else round(fetch, 3),
        restore=restore,
        check=None if restore is None else round(verified["seconds"] - restore, 3),
        rto=targets.rto,
        failures=tuple(failures),
    )


@contextlib.contextmanager
def workspace(root: Path, app: str) -> Iterator[Path]:
    """A folder in which a drill's fetched set may lie; emptied before and after, also of what a killed drill left.

    Raises Locked while another drill of the application is at work.
    """
    folder = root / ".drill" / app
    make_dirs(folder, PRIVATE_DIR)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(folder)
        yield folder
        _empty(folder)
    except BlockingIOError:
        raise Locked(f"Another drill of {app} is at work in {folder}.") from None
    finally:
        os.close(lock)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry)


def _made(backup: BackupSet) -> datetime:
    made = stamp_of(backup.id)
    assert made is not None, "a set's id begins with its time"
    return made


def write_report(report: Report, folder: Path) -> Path:
    """Keep a report as JSON and as a page, and let `APP-latest` lead to them; returns the page's path."""
    make_dirs(folder)
    name = f"{report.app}-{stamp(datetime.fromisoformat(report.drilled))}"
    try:
        write_json(folder / f"{name}.json", report.to_json())
        write_atomic(folder / f"{name}.html", page(report.to_json()).encode())
        for suffix in (".json", ".html"):
            replace_link(folder / f"{report.app}-latest{suffix}", f"{name}{suffix}")
    except OSError as error:
        raise HoldfastError(f"The report cannot be written to {folder}: {error.strerror}.") from error
    return folder / f"{name}.html"
