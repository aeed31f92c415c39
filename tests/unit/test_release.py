"""Releases: what is live, what was live before it, and what may go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast import journal
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import (
    HoldfastError,
    InvalidInput,
    NotFound,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.release import MARKER, Releases


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path)


def built(releases: Releases, revision: str = "abc") -> str:
    """A release that could go live."""
    release = releases.start("git")
    releases.link(release.id, revision, [], [])
    return release.id


def live(releases: Releases, count: int) -> list[str]:
    """So many releases, each of which was live in turn."""
    made = []
    for number in range(count):
        made.append(built(releases, str(number)))
        releases.activate(made[-1], f"backup-{number}")
    return made


def test_ids_sort_by_time_whatever_the_clock_does(releases, monkeypatch):
    first = releases.start("git").id
    ahead = f"2999{first[4:]}"
    (releases.folder / ahead).mkdir()
    assert releases.start("git").id > ahead, "a clock that was set back makes no release look older"


def test_a_release_is_marked_until_it_goes_live(releases):
    identifier = built(releases)
    folder = releases.folder_of(identifier)
    assert (folder / MARKER).exists()
    assert (folder / "REVISION").read_text() == "abc\n"
    assert releases.current is None
    assert releases.activate(identifier, None) is True
    assert releases.activate(identifier, None) is False
    assert not (folder / MARKER).exists()
    assert releases.current == identifier
    assert os.readlink(releases.path / "current") == f"releases/{identifier}", "relative, so that the tree can move"


def test_one_that_was_never_finished_cannot_go_live(releases):
    release = releases.start("git")
    with pytest.raises(InvalidInput, match="not finished"):
        releases.activate(release.id, None)
    assert releases.current is None


def test_a_folder_in_place_of_the_link_is_never_replaced(releases):
    identifier = built(releases)
    (releases.path / "current").mkdir()
    (releases.path / "current/precious").touch()
    with pytest.raises(HoldfastError, match="not a symbolic link"):
        releases.activate(identifier, None)
    assert (releases.path / "current/precious").exists()


def test_the_previous_release_is_recorded_and_not_guessed(releases):
    first, second, third = live(releases, 3)
    assert releases.previous() == second
    releases.activate(first, None)  # a rollback by name
    fourth = built(releases)
    releases.activate(fourth, "backup-of-first")
    target = releases.rollback_target(None)
    assert (target.id, target.restore_point) == (first, "backup-of-first")
    assert releases.rollback_target(first).id == first
    with pytest.raises(NotFound, match=third):
        releases.rollback_target("20200101T000000.000000Z-abcdef")


def test_a_rollback_does_not_change_what_the_older_release_replaced(releases):
    first, second, third = live(releases, 3)
    releases.activate(second, None)
    assert releases.previous() == first
    assert releases.rollback_target(None).restore_point == "backup-1"
    releases.activate(third, None)
    assert releases.previous() == second


def test_there_is_nothing_before_the_first(releases):
    with pytest.raises(NotFound, match="nothing to go back from"):
        releases.rollback_target(None)
    live(releases, 1)
    with pytest.raises(NotFound, match="there is none before it"):
        releases.rollback_target(None)


def test_pruning_keeps_the_newest_the_live_one_and_the_one_before_it(releases):
    made = live(releases, 6)
    releases.activate(made[1], None)
    assert releases.to_prune(2) == [made[2], made[3]]
    assert releases.prune(2) == [made[2], made[3]]
    assert sorted(entry.name for entry in releases.folder.iterdir()) == [made[0], made[1], made[4], made[5]]
    assert releases.prune(2) == []


def test_pruning_takes_unfinished_ones_but_never_what_a_journal_names(releases):
    made = live(releases, 3)
    abandoned = releases.start("git").id
    held = journal.open_journal(releases.path, "shop", {}, stale_after=3600)
    journal.note(releases.path, held["id"], "activated", release=made[0], data={})
    assert releases.to_prune(1) == [], "the current, the previous and the journal's are all there are"
    journal.close(releases.path, held["id"], "succeeded")
    assert releases.to_prune(1) == [abandoned, made[0]]


def test_what_nobody_recorded_is_left_alone_and_told(releases):
    live(releases, 2)
    (releases.folder / "by-hand").mkdir()
    releases.prune(1)
    assert releases.unknown() == ["by-hand"]


def test_the_live_release_is_never_removed(releases):
    first, second = live(releases, 2)
    with pytest.raises(InvalidInput, match="is live"):
        releases.remove(second)
    assert releases.remove(first) is True
    assert releases.remove(first) is False
    assert not list(releases.folder.glob(".trash-*"))


def test_shared_paths_are_linked_once_and_seeded_by_the_first_release(releases):
    release = releases.start("git")
    folder = releases.folder_of(release.id)
    (folder / "storage/app").mkdir(parents=True)
    (folder / "storage/app/seed").write_text("shipped")
    (folder / ".env").write_text("A=1\n")
    assert releases.link(release.id, "1", ["storage", "public/uploads"], [".env"]) is True
    assert (releases.shared / "storage/app/seed").read_text() == "shipped"
    assert os.readlink(folder / "public/uploads") == "../../../shared/public/uploads"
    assert releases.link(release.id, "1", ["storage", "public/uploads"], [".env"]) is False

    second = releases.start("git")
    other = releases.folder_of(second.id)
    (other / "storage").mkdir()
    (other / "storage/new").write_text("is not what users uploaded")
    releases.link(second.id, "2", ["storage"], [".env"])
    assert (other / "storage/app/seed").read_text() == "shipped"
    assert not (other / "storage/new").exists()


def test_a_shared_file_that_is_nowhere_is_an_error_before_anything_is_linked(releases):
    release = releases.start("git")
    with pytest.raises(NotFound, match=r"shared/\.env"):
        releases.link(release.id, "1", ["storage"], [".env"])
    assert not (releases.folder_of(release.id) / "storage").exists()


@pytest.mark.parametrize(
    "names", [["../x"], ["/etc"], [""], ["."], ["a/../../b"], ["a\0b"], ["storage", "storage/app"], ["a", "a"]]
)
def test_shared_paths_that_leave_the_release_or_overlap_are_refused(releases, names):
    release = releases.start("git")
    with pytest.raises(InvalidInput):
        releases.link(release.id, "1", names, [])


@pytest.mark.parametrize("identifier", ["../..", "current", "a; rm -rf /", "20200101T000000.000000Z/../..", "ünïcode"])
def test_hostile_release_names_are_refused(releases, identifier):
    live(releases, 1)
    for act in (releases.remove, releases.folder_of, lambda name: releases.activate(name, None)):
        with pytest.raises(InvalidInput, match="is not the id of a release"):
            act(identifier)
