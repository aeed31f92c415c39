"""The journal: the lock of an application, and the memory of a deploy whose controller is gone."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast import journal
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import (
    HoldfastError,
    InvalidInput,
    Locked,
    NotFound,
)

OWNER = {"user": "ops", "node": "laptop", "pid": 4711}
LONG = 3600.0


def opened(path: Path, **options) -> journal.Journal:
    return journal.open_journal(path, "shop", OWNER, **{"stale_after": LONG, **options})


def test_one_open_journal_locks_the_application_and_says_whose_it_is(tmp_path):
    first = opened(tmp_path)
    with pytest.raises(Locked) as refused:
        opened(tmp_path)
    for words in ("ops on laptop", "process 4711", first["opened_at"], "deploy_lock_wait"):
        assert words in str(refused.value)
    assert journal.close(tmp_path, first["id"], "succeeded")
    assert opened(tmp_path)["id"] > first["id"]


def race(path: str, barrier, results) -> None:
    barrier.wait()
    try:
        results.put(("won", opened(Path(path))["id"]))
    except Locked as error:
        results.put(("lost", str(error)))


def test_of_eight_that_begin_at_once_one_wins(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(8), context.Queue()
    racers = [context.Process(target=race, args=(str(tmp_path), barrier, results)) for _ in range(8)]
    for racer in racers:
        racer.start()
    ends = [results.get(timeout=30) for _ in racers]
    for racer in racers:
        racer.join()
    winners = [said for what, said in ends if what == "won"]
    assert len(winners) == 1
    assert journal.read(tmp_path)["id"] == winners[0]
    assert all("ops on laptop" in said for what, said in ends if what == "lost")


def test_a_silent_owner_is_taken_over_and_what_it_left_is_carried_along(tmp_path):
    dead = opened(tmp_path)
    journal.note(tmp_path, dead["id"], "migrating", release="r2", data={"restore_point": "b1"})
    heir = opened(tmp_path, stale_after=0)
    assert heir["unfinished"]["id"] == dead["id"]
    assert heir["unfinished"]["step"] == "migrating"
    assert heir["unfinished"]["data"] == {"restore_point": "b1"}
    with pytest.raises(NotFound, match="Another run took it over"):
        journal.note(tmp_path, dead["id"], "activated", release=None, data={})
    with pytest.raises(InvalidInput, match="not undone"):
        journal.close(tmp_path, heir["id"], "succeeded")

    second_heir = opened(tmp_path, stale_after=0)
    assert second_heir["unfinished"]["id"] == dead["id"], "it died before it had undone what it took over"
    journal.note(tmp_path, second_heir["id"], "recovered", release=None, data={})
    assert journal.close(tmp_path, second_heir["id"], "succeeded")
    assert journal.last_closed(tmp_path)["id"] == second_heir["id"]


def test_one_known_to_be_dead_is_taken_over_by_its_name_alone(tmp_path):
    dead = opened(tmp_path)
    with pytest.raises(Locked):
        opened(tmp_path, takeover="20200101T000000.000000Z-abcdef")
    assert journal.check_free(tmp_path, stale_after=LONG, takeover=dead["id"])["id"] == dead["id"]
    assert opened(tmp_path, takeover=dead["id"])["unfinished"]["id"] == dead["id"]


def test_waiting_for_the_lock_ends_when_it_is_free(tmp_path):
    first = opened(tmp_path)
    child = os.fork()
    if child == 0:  # opens as soon as the parent lets go
        try:
            opened(tmp_path, wait=30)
        finally:
            os._exit(0)
    journal.close(tmp_path, first["id"], "succeeded")
    os.waitpid(child, 0)
    assert journal.read(tmp_path)["id"] > first["id"]


def test_closing_twice_is_no_error_and_tells_the_difference(tmp_path):
    one = opened(tmp_path)
    assert journal.close(tmp_path, one["id"], "failed", "the migration broke") is True
    assert journal.close(tmp_path, one["id"], "failed", "the migration broke") is False
    last = journal.last_closed(tmp_path)
    assert (last["outcome"], last["message"]) == ("failed", "the migration broke")


def test_history_is_kept_to_a_length(tmp_path):
    for _ in range(25):
        journal.close(tmp_path, opened(tmp_path)["id"], "succeeded")
    history = sorted((tmp_path / ".holdfast/history").iterdir())
    assert len(history) == 20
    assert journal.last_closed(tmp_path)["id"] == history[-1].stem


@pytest.mark.parametrize("identifier", ["../../etc/passwd", "x", "20200101T000000.000000Z-a/../../b", ""])
def test_hostile_ids_are_refused(tmp_path, identifier):
    opened(tmp_path)
    with pytest.raises(InvalidInput):
        journal.close(tmp_path, identifier, "succeeded")


def test_a_journal_that_cannot_be_read_stops_everything(tmp_path):
    opened(tmp_path)
    file = tmp_path / ".holdfast/journal.json"
    file.write_text(file.read_text()[:40])
    with pytest.raises(HoldfastError, match="cannot be read"):
        opened(tmp_path, stale_after=0)
    assert file.exists(), "it is left for a person to look at"


def test_it_is_for_its_owner_only(tmp_path):
    opened(tmp_path)
    assert (tmp_path / ".holdfast").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".holdfast/journal.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / ".holdfast/journal.json").read_text())["owner"] == OWNER
