"""Backup sets of any age."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet, read_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Engine, Login, open_engine
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.names import stamp

from .databases import Database


def engine_of(database: Database) -> Engine:
    return open_engine(database.engine, Login(**database.login))


def make_set(
    database: Database,
    root: Path,
    days: float = 0,
    label: str = "nightly",
    verify: str = "archive",
    compression: str = "zstd",
) -> BackupSet:
    """A set of the shop that was made so many days ago."""
    made = create_set(engine_of(database), Plan(root, "shop", label, compression, verify=verify))
    if not days:
        return made
    name = f"{stamp(datetime.now(timezone.utc) - timedelta(days=days))}-{label}-{made.id[-6:]}"
    folder = made.path.rename(made.path.with_name(name))
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(made.id, name))
    return read_set(folder)
