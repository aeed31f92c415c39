"""Which kept answer is served and when somebody is asked anew, on a clock that the test moves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.cache import Ask, Entry, decide
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import FAIL, PASS, Answer, Caching
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

CACHING = Caching(ttl=300, failure_ttl=30, stale_while_revalidate=300, stale_if_error=3600)
GOOD = Answer("3 videos", PASS, 12.0, at=1000)
OUTAGE = Answer("no answer within 5 s", FAIL, 5000.0, at=1400, outage=True)
REFUSED = Answer("the key is not accepted", FAIL, 30.0, at=1400)


def decided(entry: Entry, now: float) -> tuple[str, str, float, str] | tuple[None, str]:
    """How an answer is served, its status and age, and whether somebody is asked."""
    answer, ask = decide(entry, CACHING, now)
    return (None, ask.value) if answer is None else (answer.served, answer.status, answer.age, ask.value)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (1000, ("hit", "pass", 0, "nobody")),
        (1299, ("hit", "pass", 299, "nobody")),
        (1301, ("stale", "pass", 301, "behind")),
        (1629, ("stale", "pass", 629, "behind")),
        (1631, (None, "now")),
        (999, (None, "now")),
    ],
    ids=["new", "within its TTL", "past it", "at the end of the window", "too old", "clock set back"],
)
def test_a_good_answer_grows_old(now, expected):
    assert decided(Entry(GOOD), now) == expected


def test_an_answer_lives_up_to_a_tenth_longer_by_chance():
    assert decided(Entry(GOOD, chance=1.0), 1329)[0] == "hit"
    assert decided(Entry(GOOD, chance=1.0), 1331)[0] == "stale"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (1401, ("stale", "pass", 401, "nobody")),
        (1431, ("stale", "pass", 431, "behind")),
        (1601, ("stale", "warn", 601, "behind")),
        (4899, ("stale", "warn", 3899, "behind")),
        (4901, (None, "now")),
    ],
    ids=["held", "asked again behind", "old enough to warn", "the last that stands in", "nothing stands in"],
)
def test_an_older_answer_stands_in_for_an_outage(now, expected):
    assert decided(Entry(GOOD, OUTAGE, failures=1), now) == expected


def test_what_stands_in_says_how_old_it_is_and_why():
    answer, _ = decide(Entry(GOOD, OUTAGE, failures=1), CACHING, 1410)
    assert answer is not None
    assert answer.output == "3 videos (410 s ago; since then: no answer within 5 s)"


def test_nothing_stands_in_for_what_a_healthy_server_refuses():
    assert decided(Entry(GOOD, REFUSED, failures=1), 1401) == ("hit", "fail", 1, "nobody")
    assert decided(Entry(GOOD, REFUSED, failures=1), 1431) == (None, "now")


def test_a_failure_with_nothing_to_stand_in_is_served_while_one_asks_again():
    entry = Entry(None, OUTAGE, failures=1)
    assert decided(entry, 1429) == ("hit", "fail", 29, "nobody")
    assert decided(entry, 1431) == ("stale", "fail", 31, "behind")
    assert decided(entry, 2001) == (None, "now")


@pytest.mark.parametrize(("failures", "held"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (1000, 300)])
def test_each_further_failure_is_held_twice_as_long_up_to_the_ttl(failures, held):
    entry = Entry(None, OUTAGE, failures=failures)
    assert decide(entry, CACHING, OUTAGE.at + held - 1)[1] is Ask.NOBODY
    assert decide(entry, CACHING, OUTAGE.at + held + 1)[1] is not Ask.NOBODY


def test_a_server_that_wants_to_be_left_alone_is():
    entry = Entry(GOOD, replace(OUTAGE, retry_after=200.0), failures=1)
    assert decided(entry, 1599)[-1] == "nobody"
    assert decided(entry, 1601)[-1] == "behind"


def test_a_server_cannot_ask_to_be_left_alone_for_ever():
    assert decide(Entry(GOOD, replace(OUTAGE, retry_after=1e9), failures=1), CACHING, 1400 + 3601)[1] is not Ask.NOBODY


def test_a_good_answer_ends_the_count_of_failures():
    entry = Entry(GOOD, OUTAGE, failures=7).after(replace(GOOD, at=1500))
    assert (entry.good, entry.bad, entry.failures) == (replace(GOOD, at=1500), None, 0)


def test_an_entry_is_read_as_it_was_written():
    entry = Entry(GOOD, OUTAGE, failures=3, chance=0.5)
    assert Entry.from_json(entry.to_json()) == entry


def counted(folder: Path, **options: object) -> dict[str, object]:
    """A check that notes each time it is asked."""
    return {"type": "command", "command": ["sh", "-c", f"echo >> {folder}/asked; cat {folder}/says"], **options}


def asked(folder: Path) -> int:
    return (folder / "asked").read_text().count("\n")


ODD = (
    '{"good": {"output": "x", "status": "pass", "latency_ms": "a", "at": "b"}, "bad": null, "failures": 0, "chance": 0}'
)


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", '{"good": 1}', '{"good": {"x": 1}, "bad": null}', "\0", "[" * 100_000, ODD]
)
def test_a_broken_file_is_no_answer(tmp_path, broken):
    (tmp_path / "says").write_text("x")
    checks, store = parse([counted(tmp_path, ttl=60)]), Store(tmp_path / "cache")
    run_round(checks, store)
    for path in (tmp_path / "cache").glob("*.answer"):
        path.write_text(broken)
    assert run_round(checks, store)[0].cache == "miss"
    assert run_round(checks, store)[0].cache == "hit"


def test_a_broken_salt_is_a_salt(tmp_path):
    (tmp_path / "says").write_text("x")
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache/salt").write_bytes(b"x" * 1000)
    served = [run_round(parse([counted(tmp_path, ttl=60)]), Store(tmp_path / "cache"))[0].cache for _ in range(2)]
    assert served == ["miss", "hit"]


def let_all_write(folder: Path) -> None:
    folder.chmod(0o777)


def give_away(folder: Path) -> None:
    os.chown(folder, 12345, 12345)


def link_of_a_stranger(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    os.chown(folder, 12345, 12345, follow_symlinks=False)


@pytest.mark.parametrize("spoil", [let_all_write, give_away, link_of_a_stranger])
def test_what_others_may_have_put_there_is_not_believed(tmp_path, spoil):
    (tmp_path / "says").write_text("x")
    folder = tmp_path / "cache"
    run_round(parse([counted(tmp_path, ttl=60)]), Store(folder))
    spoil(folder)
    before = sorted(folder.iterdir())
    store = Store(folder)
    assert run_round(parse([counted(tmp_path, ttl=60)]), store)[0].cache == "live"
    assert store.problem.startswith(f"Nothing is kept in {folder}: others may write")
    assert sorted(folder.iterdir()) == before


def test_limits_are_those_of_the_caller_not_of_who_asked(tmp_path):
    (tmp_path / "says").write_text("x")
    store = Store(tmp_path / "cache")
    assert run_round(parse([counted(tmp_path, ttl=60)]), store)[0].status == "pass"
    (again,) = run_round(parse([counted(tmp_path, ttl=60, fail={"latency_ms": 0})]), store)
    assert (again.status, again.cache, asked(tmp_path)) == ("fail", "hit", 1)
    assert "latency_ms is" in again.output


def test_other_options_are_another_question(tmp_path):
    (tmp_path / "says").write_text("x")
    store = Store(tmp_path / "cache")
    for word in ("a", "b"):
        run_round(parse([counted(tmp_path, ttl=60, output_contains=word, critical=False)]), store)
    assert asked(tmp_path) == 2


def test_a_dry_run_keeps_nothing(tmp_path):
    store = Store(tmp_path / "cache", read_only=True)
    run_round(parse([{"type": "tcp", "port": 1, "ttl": 60}]), store)
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path):
    (tmp_path / "says").write_text("x")
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file/cache")
    results = [run_round(parse([counted(tmp_path, ttl=60)]), store)[0] for _ in range(2)]
    assert [(one.status, one.cache) for one in results] == [("pass", "live")] * 2
    assert store.problem == f"Nothing is kept in {tmp_path}/file/cache: Not a directory."


def test_what_is_kept_is_for_its_owner_alone(tmp_path):
    (tmp_path / "says").write_text("x")
    run_round(parse([counted(tmp_path, ttl=60)]), Store(tmp_path / "cache"))
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "cache").iterdir()} == {0o600}
