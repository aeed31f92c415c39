"""How workers are told from this host's other processes, and what is known of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.deadline import Deadline
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.types.queue import QUEUE
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.workers import Worker, find_workers

from support.processes import end, wait_until

PATTERN = QUEUE.options["match"].default
WAITS = "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n"
HAS_LARGE_CHILD = f"""
import subprocess, sys
hold = "x = bytearray(80_000_000); " + {WAITS!r}
subprocess.run([sys.executable, "-c", hold])
"""
LISTENS = f"""
import subprocess, sys
if "--once" in sys.argv:
    {WAITS.splitlines()[1]}
    sys.stdin.read()
else:
    subprocess.run([sys.executable, "artisan", "queue:work", "--once"])
"""
FORKS = "import os\nif os.fork(): os.wait()\nelse:\n    " + WAITS.replace("\n", "\n    ")

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that says when it is ready; each ends when its input does, at the end of the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(argv: list[str], folder: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        return process

    yield run
    for process in started:
        process.send_signal(signal.SIGCONT)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        end(process)
        process.stdout.close()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release that is the current one, with a stand-in for artisan that waits."""
    folder = tmp_path / "app/releases/1"
    folder.mkdir(parents=True)
    (folder / "artisan").write_text(WAITS)
    (tmp_path / "app/current").symlink_to(folder)
    return folder


def works(*options: str) -> list[str]:
    return [sys.executable, "artisan", "queue:work", *options]


def one(root: Path | None) -> Worker:
    (found,) = find_workers(PATTERN, root, Deadline(5))
    return found


def test_a_worker_and_when_it_began(start, release, tmp_path):
    before = time.time()
    process = start(works("redis", "--queue=high"), release)
    found = one(tmp_path / "app")
    assert (found.pid, found.stopped, found.home, found.deleted) == (process.pid, False, release, False)
    assert found.serves("high") and not found.serves("default")
    assert before - 1 < found.began < time.time() + 1
    assert found.old_release(tmp_path / "app") == found.old_release(None) == ""


def test_a_stopped_worker(start, release, tmp_path):
    process = start(works(), release)
    assert one(tmp_path).serves("any")
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: one(tmp_path).stopped, "it is seen to be stopped")


def test_a_shell_around_a_worker_is_none(start, release, tmp_path):
    process = start(["sh", "-c", f"{sys.executable} artisan queue:work; true"], release)
    assert one(tmp_path).pid != process.pid


def test_a_listener_is_one_with_and_between_the_workers_that_it_starts(start, release, tmp_path):
    listener = start([sys.executable, "artisan", "queue:listen", "--queue=mails"], release)
    assert (one(tmp_path).pid, one(tmp_path).queues) == (listener.pid, {"mails"})
    (release / "artisan").write_text(LISTENS)
    end(listener)
    listener = start([sys.executable, "artisan", "queue:listen"], release)
    assert one(tmp_path).pid == listener.pid


def test_a_fork_of_a_worker_is_no_further_one(start, release, tmp_path):
    (release / "artisan").write_text(FORKS)
    process = start(works(), release)
    assert one(tmp_path).pid == process.pid


def test_other_commands_and_other_applications_are_none(start, release, tmp_path):
    for command in ("queue:listener", "horizon", "schedule:work", "queue:workers"):
        start([sys.executable, "artisan", command], release)
    assert find_workers(PATTERN, tmp_path, Deadline(5)) == []
    start([sys.executable, "artisan", "horizon:work"], release)
    assert one(tmp_path).home == release
    assert find_workers(PATTERN, tmp_path / "elsewhere", Deadline(5)) == []


def test_memory_is_that_of_all_that_it_started(start, release, tmp_path):
    (release / "artisan").write_text(HAS_LARGE_CHILD)
    start(works(), release)
    assert one(tmp_path).rss > 80_000_000


def test_code_that_is_not_the_current_release(start, release, tmp_path):
    start(works(), release)
    new = release.with_name("2")
    new.mkdir()
    os.replace(release.parent.parent / "current", tmp_path / "old")
    (release.parent.parent / "current").symlink_to(new)
    assert one(tmp_path).old_release(None) == one(tmp_path).old_release(tmp_path / "app") == "1"
    shutil.rmtree(release)
    found = one(tmp_path)
    assert (found.home, found.deleted, found.old_release(None)) == (release, True, "1")
