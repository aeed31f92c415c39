"""Checks of filesystems that are really full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(options: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], check=True)


def look(path: Path, **options: Any) -> Result:
    return run_round(parse([{"type": "disk", "path": str(path), **options}]))[0]


def df(path: Path, column: str) -> float:
    """What df says, without the percent sign."""
    done = subprocess.run(["df", f"--output={column}", str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1].rstrip("%"))


def test_a_filesystem_warns_fails_and_recovers(mounted):
    folder = mounted("size=1m,nr_inodes=100")
    assert look(folder).status == "pass"
    filler = folder / "filler"
    filler.write_bytes(b"x" * 860_000)
    found = look(folder)
    assert found.status == "warn" and "used_percent is" in found.output
    assert df(folder, "pcent") - 1 <= found.values["used_percent"] <= df(folder, "pcent"), "df rounds up"

    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"x" * 2_000_000)
    found = look(folder)
    assert (found.status, found.values["used_percent"], found.values["free_mb"]) == ("fail", 100, 0)
    assert "used_percent is 100 %, the limit is 90 (0 MiB are free" in found.output

    filler.unlink()
    assert look(folder).status == "pass"


def test_a_filesystem_without_inodes_left_fails_though_it_has_room(mounted):
    folder = mounted("size=1m,nr_inodes=20")
    with pytest.raises(OSError, match="No space left"):
        for number in range(100):
            (folder / str(number)).touch()
    found = look(folder)
    assert found.status == "fail" and "inodes_percent is 100 %" in found.output
    assert found.values["used_percent"] < 10


def test_a_filesystem_that_does_not_count_inodes_has_no_such_measure(mounted):
    found = look(mounted("size=1m,nr_inodes=0"))
    assert found.status == "pass" and "inodes_percent" not in found.values


def test_room_in_mib_can_be_insisted_on(mounted):
    folder = mounted("size=1m")
    assert look(folder, fail={"free_mb": 0.5}).status == "pass"
    found = look(folder, fail={"free_mb": 2})
    assert found.status == "fail" and "free_mb is 1 MiB, the limit is 2" in found.output
