"""Every flipped bit and every cut of a set is found, and nothing unpacks to more than it should."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet, read_set, sealed
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.verify import verify_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import DamagedBackup

from support.databases import Database, sqlite_database
from support.sets import engine_of, make_set


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as one:
        yield one


def is_found(database: Database, backup: BackupSet) -> bool:
    try:
        verify_set(read_set(backup.path), engine_of(database), "checksum")
    except DamagedBackup:
        return True
    return False


def places(size: int, number: int, dice: random.Random) -> list[int]:
    """Where to damage a file: its head, its tail, and anywhere between."""
    ends = [*range(min(size, 16)), *range(max(0, size - 16), size)]
    return ends + [dice.randrange(size) for _ in range(number - len(ends))]


@pytest.mark.parametrize("name", ["manifest.json", "database.sqlite.zst"])
def test_every_flipped_bit_and_every_cut_is_found(sqlite, tmp_path, name):
    dice = random.Random(20261124)  # noqa: S311 - the same places each time
    backup = make_set(sqlite, tmp_path / "b")
    file = backup.path / name
    whole = file.read_bytes()
    assert not is_found(sqlite, backup)
    for place in places(len(whole), 500, dice):
        broken = bytearray(whole)
        broken[place] ^= 1 << dice.randrange(8)
        file.write_bytes(broken)
        assert is_found(sqlite, backup), f"bit of byte {place}"
    for place in places(len(whole), 100, dice):
        file.write_bytes(whole[:place])
        # What is cut off may be the last newline alone.
        assert is_found(sqlite, backup) or (name, place) == ("manifest.json", len(whole) - 1), f"cut at {place}"
    file.write_bytes(whole)
    assert not is_found(sqlite, backup)


def test_what_unpacks_to_more_than_the_manifest_says_is_cut_off(sqlite, tmp_path):
    backup = make_set(sqlite, tmp_path / "b", compression="gzip")
    bomb = gzip.compress(bytes(1 << 20)) * 5000
    backup.data_file().write_bytes(bomb)
    with pytest.raises(DamagedBackup, match="unpacks to more than the"):
        for piece in backup.data():
            assert len(piece) < 1 << 24
    manifest = json.loads((backup.path / "manifest.json").read_text())
    manifest["files"][0]["name"] = "../../secret"
    (backup.path / "manifest.json").write_text(json.dumps(sealed(manifest)))
    with pytest.raises(DamagedBackup, match="one outside of the set"):
        read_set(backup.path)
