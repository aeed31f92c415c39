"""Backup sets: old ones, forged ones, and what is left of rehearsing them."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet, read_set, sealed
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
    manifest.write_text(json.dumps(sealed({**json.loads(manifest.read_text()), "id": name})))
    return read_set(folder)


def forge(backup: BackupSet, old: bytes, new: bytes) -> None:
    """Change the data of a set, and all of its manifest that speaks of the packed file."""
    raw = gzip.decompress(backup.data_file().read_bytes())
    assert old in raw
    raw = raw.replace(old, new)
    backup.data_file().write_bytes(gzip.compress(raw))
    manifest = json.loads((backup.path / "manifest.json").read_text())
    packed = backup.data_file().read_bytes()
    manifest["files"][0] |= {"size": len(packed), "sha256": hashlib.sha256(packed).hexdigest(), "raw_size": len(raw)}
    (backup.path / "manifest.json").write_text(json.dumps(sealed(manifest)))


def scratch_databases(database: Database, root: Path, request: pytest.FixtureRequest) -> list[Any]:
    """What is left of rehearsals on the server, and of the notes about them."""
    notes: list[Any] = [path.name for path in root.glob("shop/.*scratch*")]
    if database.engine == "mysql":
        return notes + request.getfixturevalue("mariadb_server").sql("SHOW DATABASES LIKE 'holdfast%'")
    if database.engine == "postgresql":
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'holdfast%'"
        return notes + request.getfixturevalue("postgresql_server").sql(query)
    return notes
