"""Sets that the first Holdfast made can still be verified and put back."""

from __future__ import annotations

import json

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import find_source, restore
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet, read_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.verify import verify_set

from support.sets import engine_of, make_set


def aged(made: BackupSet) -> BackupSet:
    """The set as it would be with a manifest of version 1, which knew less and had no hash of its own."""
    path = made.path / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in ("sha256", "counters", "settings", "encrypted_to"):
        del manifest[name]
    for file in manifest["files"]:
        del file["at"]
    path.write_text(json.dumps({**manifest, "manifest_version": 1, "schema": "of another kind"}))
    return read_set(made.path)


def test_a_set_of_version_1_comes_back(able, tmp_path):
    before = able.content()
    old = aged(make_set(able, tmp_path))
    engine = engine_of(able)
    for level in ("checksum", "archive", "rehearse"):
        assert verify_set(old, engine, level)["level"] == level
    able.sql("DROP VIEW names")
    restore(engine, find_source(tmp_path, "shop", old.id, engine), verify="archive", safety=None)
    assert able.content() == before
