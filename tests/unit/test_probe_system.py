"""Checks of what a host shows of itself: memory, load, processes, units, the heartbeat of a scheduler."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result, Unhealthy
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.types.memory import see_memory
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.types.systemd import judge_units

from support.processes import end, wait_until

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def look(check: dict[str, Any], store: Store | None = None) -> Result:
    return run_round(parse([check]), store)[0]


def test_a_path_that_is_missing_is_named(tmp_path):
    found = look({"type": "disk", "path": str(tmp_path / "gone")})
    assert (found.status, found.output) == ("fail", f"there is no {tmp_path}/gone")


def test_a_filesystem_without_blocks_has_no_share_that_is_used():
    found = look({"type": "disk", "path": "/proc", "warn": {"used_percent": 0}})
    assert found.status == "pass" and "used_percent" not in found.values


def test_load_is_told_per_processor():
    found = look({"type": "load", "warn": {"load5": None}, "fail": {"load5": None}})
    assert found.status == "pass"
    shown = Path("/proc/loadavg").read_text().split()
    assert found.values["load15"] * len(os.sched_getaffinity(0)) == pytest.approx(float(shown[2]), abs=0.5)
    assert look({"type": "load", "fail": {"load5": 0}}).output.startswith("load5 is ")


def test_memory_of_this_machine():
    found = look({"type": "memory", "warn": {"used_percent": None}, "fail": {"used_percent": 100}})
    free = subprocess.run(["free", "--mebi"], check=True, capture_output=True, text=True).stdout.splitlines()[1]
    assert found.status == "pass"
    assert 0 < found.values["available_mb"] <= float(free.split()[1])
    assert look({"type": "memory", "fail": {"available_mb": 10**9}}).status == "fail"


def proc(folder: Path, *, group: str, mount_root: str = "/", swap: int = 0, **groups: tuple[str, int, int]) -> Path:
    """A /proc of a machine of 1000 MiB, 400 of them available, and the control groups of version 2 below `top`.

    A group is what its memory.max says, and of the MiB in use the current ones and those of idle files.
    """
    top = folder / "cgroup"
    for name, (limit, current, idle) in groups.items():
        place = top / name.replace("__", "/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(f"{limit}\n")
        (place / "memory.current").write_text(f"{current * MIB}\n")
        (place / "memory.stat").write_text(f"anon 1\nfile 2\ninactive_anon 3\ninactive_file {idle * MIB}\n")
    own = folder / "self"
    own.mkdir()
    (own / "cgroup").write_text(f"4:memory:/elsewhere\n0::{group}\n")
    (own / "mountinfo").write_text(
        f"25 30 0:23 / /proc rw,nosuid - proc proc rw\n41 31 0:38 {mount_root} {top} rw,relatime - cgroup2 cgroup2 rw\n"
    )
    sizes = {"MemTotal": 1000, "MemFree": 50, "MemAvailable": 400, "SwapTotal": swap, "SwapFree": swap // 10}
    lines = [f"{name}: {size * 1024:>12} kB\n" for name, size in sizes.items()]
    (folder / "meminfo").write_text("".join(lines) + "HugePages_Total:       0\n")
    return folder


def test_memory_without_a_limit_of_a_group(tmp_path):
    found = see_memory(proc(tmp_path, group="/a", a=("max", 900, 0)))
    assert found.values == {"used_percent": 60.0, "available_mb": 400.0}
    assert found.output == "60 % of 1000 MiB are used by the machine, 400 MiB are available"


def test_memory_with_swap(tmp_path):
    found = see_memory(proc(tmp_path, group="/a", swap=500))
    assert found.values["swap_percent"] == 90.0
    assert "90 % of the swap" in found.output


def test_a_limit_of_a_group_counts_and_idle_files_do_not(tmp_path):
    found = see_memory(proc(tmp_path, group="/shop", shop=(str(200 * MIB), 190, 40)))
    assert found.values == {"used_percent": 75.0, "available_mb": 50.0}
    assert "75 % of 200 MiB are used by the control group shop" in found.output


def test_a_limit_of_a_group_above_counts(tmp_path):
    found = see_memory(proc(tmp_path, group="/shop/php", shop=(str(200 * MIB), 150, 0), shop__php=("max", 10, 0)))
    assert found.values == {"used_percent": 75.0, "available_mb": 50.0}


def test_each_measure_is_the_worse_of_the_machine_and_the_group(tmp_path):
    found = see_memory(proc(tmp_path, group="/shop", shop=(str(200 * MIB), 20, 0)))
    assert found.values == {"used_percent": 60.0, "available_mb": 180.0}


def test_a_limit_that_the_machine_cannot_reach_is_none(tmp_path):
    found = see_memory(proc(tmp_path, group="/shop", shop=(str(5000 * MIB), 999, 0)))
    assert found.values["available_mb"] == 400.0


@pytest.mark.parametrize(("group", "root"), [("/docker/abc", "/docker/abc"), ("/", "/")])
def test_a_container_finds_its_limit_with_and_without_a_namespace_of_its_own(tmp_path, group, root):
    folder = proc(tmp_path, group=group, mount_root=root)
    place = tmp_path / "cgroup"
    place.mkdir()
    (place / "memory.max").write_text(str(100 * MIB))
    (place / "memory.current").write_text(str(90 * MIB))
    (place / "memory.stat").write_text("anon 5\n")
    assert see_memory(folder).values["used_percent"] == 90.0


def test_a_group_outside_of_what_can_be_seen_is_passed_over(tmp_path):
    assert see_memory(proc(tmp_path, group="/../other", mount_root="/")).values["available_mb"] == 400.0


@contextlib.contextmanager
def sleeping(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that stays, in a group of its own; from when its command line is there."""
    process = subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL)
    line = Path(f"/proc/{process.pid}/cmdline")
    try:
        wait_until(lambda: line.read_bytes() == "\0".join([*words, ""]).encode(), "it has begun")
        yield process
    finally:
        end(process)


def test_processes_are_found_by_name_command_line_and_user():
    with sleeping("sleep", "9.0701"), sleeping("sleep", "9.0702"):
        assert look({"type": "process", "process": "sleep", "match": r"9\.070"}).values["count"] == 2
        found = look({"type": "process", "match": r"^sleep 9\.0701$"})
        assert (found.status, found.values["count"]) == ("pass", 1)
        assert found.values["rss_mb"] > 0
        assert 0 <= found.values["youngest_s"] == found.values["oldest_s"] < 60
        user = {"type": "process", "match": r"9\.0701", "user": os.getuid()}
        assert look(user).status == "pass"
        assert look({**user, "user": "nobody"}).status == "fail"
        assert look({**user, "user": "no-such-user"}).output == "there is no user 'no-such-user'"
        few = look({"type": "process", "match": r"9\.070", "fail": {"count": 2}})
        assert few.output.startswith("count is 2, the limit is 2 (2 processes matching")


def test_open_files_are_told_as_a_share_of_the_limit():
    begun = subprocess.Popen(["sh", "-c", "ulimit -n 10; exec sleep 9.0704"], start_new_session=True)
    try:
        check = {"type": "process", "match": r"^sleep 9\.0704", "fail": {"files_percent": 30}}
        wait_until(lambda: look(check).values["count"] == 1, "it has begun")
        assert look(check).output.startswith("files_percent is 30 %, the limit is 30")
    finally:
        end(begun)


def test_no_process_fails_and_says_of_which():
    found = look({"type": "process", "process": "no-such-daemon", "user": "root"})
    assert (found.status, found.values["count"]) == ("fail", 0)
    assert found.output == "count is 0, the limit is 0 (no process called 'no-such-daemon' of root)"


def test_a_name_longer_than_the_kernel_keeps_is_found(tmp_path):
    program = tmp_path / "a-very-long-daemon (1)"
    program.symlink_to("/bin/sleep")
    with sleeping(str(program), "9.0703"):
        assert look({"type": "process", "process": program.name}).status == "pass"


def test_a_process_that_has_ended_but_was_not_waited_for_does_not_count():
    ended = subprocess.Popen(["sleep", "0.001"])
    wait_until(lambda: ") Z " in Path(f"/proc/{ended.pid}/stat").read_text(), "it has ended")
    assert look({"type": "process", "process": "sleep", "match": r"0\.001"}).values["count"] == 0
    running = look({"type": "process", "process": "sleep"}).values["count"]
    ended.wait()
    assert look({"type": "process", "process": "sleep"}).values["count"] == running


def test_memory_is_that_of_a_process_with_its_children():
    grow = "import time; kept = b'x' * (64 << 20); print(flush=True); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grow!r}])  # tree-9071"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        found = look({"type": "process", "match": "tree-9071"})
        assert found.values["count"] == 1
        assert 64 < found.values["rss_mb"] < 256
        assert look({"type": "process", "match": "tree-9071", "fail": {"rss_mb": 64}}).status == "fail"
    finally:
        subprocess.run(["pkill", "--parent", str(parent.pid)], check=True)
        parent.stdout.close()
        parent.wait()


_LOOK = """
import json
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
print(json.dumps(run_round(parse([{"type": "process", "match": "needle-9072"}]))[0].values))
"""


def test_who_asks_does_not_find_himself_nor_the_shell_that_called_him():
    # The text that is looked for is in the command lines of the shell, of Python, and of a copy of it.
    script = f"'{sys.executable}' -c '{_LOOK}'; exit $?"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}

    def count() -> float:
        done = subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True, text=True)
        return float(json.loads(done.stdout)["count"])

    assert count() == 0
    with sleeping(sys.executable, "-c", "import time; time.sleep(60)  # needle-9072"):
        assert count() == 1


def test_a_parent_in_another_group_is_a_process_like_any_other():
    script = f"setsid --wait '{sys.executable}' -c \"$LOOK\"; exit $?  # needle-9073"
    settings = {"PYTHONPATH": str(ROOT / "collections"), "LOOK": _LOOK.replace("9072", "9073")}
    done = subprocess.run(
        ["sh", "-c", script], env={**os.environ, **settings}, check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["count"] == 1, "the shell, but not Python"


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ({"type": "process", "user": "root"}, "Check 1: the type process needs the option 'process' or 'match'."),
        ({"type": "process", "match": "("}, "regular expression"),
        ({"type": "systemd", "units": ["a.service", "shop-*"]}, "without wildcards; 'shop-[*]' is none"),
        ({"type": "systemd"}, "needs the option 'units'"),
        (
            {"type": "disk", "path": "/", "warn": {"used_prcent": 1}},
            "measures no 'used_prcent'; did you mean 'used_percent'?",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(check, rule):
    with pytest.raises(InvalidInput, match=rule):
        parse([check])


# What `systemctl show` of systemd 252 printed, but for the size in the last block, which is how 239 says "none".
_SHOWN = """\
Result=success
NRestarts=0
MemoryCurrent=3145728
Id=web.service
LoadState=loaded
ActiveState=active
SubState=running

Result=exit-code
NRestarts=2
MemoryCurrent=[not set]
Id=loop.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart

Id=basic.target
LoadState=loaded
ActiveState=active
SubState=active

Result=success
NRestarts=0
MemoryCurrent=18446744073709551615
Id=nope.service
LoadState=not-found
ActiveState=inactive
SubState=dead
"""


def test_units_are_judged_by_what_systemctl_shows():
    seen = judge_units(["web", "loop", "basic.target", "nope"], _SHOWN)
    assert seen.status == "fail"
    assert seen.output == "loop is activating (auto-restart, exit-code); nope is not known to systemd"
    assert seen.values == {"restarts": 2, "memory_mb": 3}
    with pytest.raises(Unhealthy, match="expected systemctl to tell of 1 units"):
        judge_units(["web"], _SHOWN)


NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc).timestamp()


def heartbeat(file: Path, **options: Any) -> Result:
    return look({"type": "scheduler", "file": str(file), **options}, Store(clock=lambda: NOON))


@pytest.mark.parametrize(
    ("content", "age"),
    [
        ("", 60),
        ("done\n", 60),
        (f"{NOON - 10:.0f}\n", 10),
        (f"{NOON - 10.5}", 10.5),
        (f"{NOON * 1000 - 10_000:.0f}", 10),
        ("2026-03-01T11:59:30Z", 30),
        ("2026-03-01T12:59:30+01:00", 30),
        ("2026-03-01 06:59:30.25-0500\n", 29.8),
        ("2026-03-01 11:59:30", 60),
        ("2026-99-01T11:59:30Z", 60),
    ],
)
def test_the_last_run_is_what_the_file_says_or_when_it_was_written(tmp_path, content, age):
    file = tmp_path / "heartbeat"
    file.write_text(content)
    os.utime(file, (NOON - 60, NOON - 60))
    found = heartbeat(file)
    assert (found.status, found.values["age_s"]) == ("pass", age)


def test_a_scheduler_that_stands_still_warns_and_fails(tmp_path):
    file = tmp_path / "heartbeat"
    for age, status in ((119, "pass"), (120, "warn"), (300, "fail")):
        file.write_text(str(int(NOON) - age))
        assert heartbeat(file).status == status
    assert f"age_s is 300 s, the limit is 300 (the last run was 300 s ago by {file})" in heartbeat(file).output


def test_a_run_in_the_future_warns_of_the_clock(tmp_path):
    file = tmp_path / "heartbeat"
    file.write_text(str(int(NOON) + 3600))
    found = heartbeat(file)
    assert (found.status, found.verdict) == ("warn", "future")
    assert "3600 s in the future" in found.output and "clock" in found.output


def test_a_missing_heartbeat_says_what_to_type(tmp_path):
    folder = tmp_path / "it's here"
    folder.mkdir()
    file = folder / "heartbeat"
    found = heartbeat(file)
    assert (found.status, found.verdict) == ("fail", "missing")
    typed = re.findall("`(.*?)`", found.output)
    assert typed[0].startswith("&& touch ")
    subprocess.run(["sh", "-c", f"true {typed[0]}"], check=True)
    assert file.exists(), "what is said for cron is right as it stands"
    assert "everyMinute()" in typed[1]
    assert "Is a directory" in heartbeat(tmp_path).output
