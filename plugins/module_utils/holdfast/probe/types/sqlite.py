# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an SQLite file is well: readable, sound, its log of changes short."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import options as opt
from ..checks import CheckType, Look, Measure, Option, Seen, excerpt
from ..databases import Session
from ..servers import FILE_MEASURES, FILE_OPTIONS, Findings, look_at, writes

_MIB = 1 << 20


def check_sqlite(look: Look) -> Seen:
    """Open the file and study it."""
    return look_at("sqlite", look, _study)


def _study(session: Session, look: Look, found: Findings) -> None:
    ((version,),) = session.rows("SELECT sqlite_version()")
    ((mode,),) = session.rows("PRAGMA journal_mode")
    found.said += [f"SQLite {version}", f"journal mode {mode}"]
    session.rows("SELECT count(*) FROM sqlite_master")  # the first that needs the lock and reads the schema
    if mode == "wal":
        found.measure(wal_mb=_wal_bytes(look.options["database"]) / _MIB)
    if look.options["integrity"]:
        ((said,),) = session.rows("PRAGMA quick_check(1)")
        if said != "ok":
            found.fail(f"the file is damaged: {excerpt(said)}", "damaged")


def _wal_bytes(database: str) -> int:
    """The size of the write-ahead log, which lies beside the file that a link leads to."""
    real = Path(database).resolve()
    with contextlib.suppress(FileNotFoundError):
        return real.with_name(f"{real.name}-wal").stat().st_size
    return 0


SQLITE = CheckType(
    options={**FILE_OPTIONS, "integrity": Option(opt.boolean, False)},
    run=check_sqlite,
    target=lambda options: str(options["database"]),
    component="datastore",
    measures={**FILE_MEASURES, "wal_mb": Measure("MiB", warn=64, fail=1024)},
    may_change=writes,
)
