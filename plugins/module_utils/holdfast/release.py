# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of an application: releases, what they share, and which one is live.

The link `current` alone says what is live. The registry beside it says in which order releases were made, which one
each of them replaced, and which restore point was taken then; nothing of that is ever guessed from dates or names.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from . import journal as journals
from .errors import HoldfastError, InvalidInput, NotFound
from .files import fsync_dir, make_dirs, replace_link, write_json
from .names import new_stamp, short_id, stamp_of

MARKER = "DEPLOY_UNFINISHED"
REVISION = "REVISION"
_TRASH = ".trash-"
_REGISTRY = "releases.json"


@dataclass
class Release:
    """One release. `previous` is what was live when it first became so; `restore_point` the backup set of then."""

    id: str
    created: str
    source: str = ""
    revision: str = ""
    state: str = "unfinished"  # until it is activated for the first time: then "finished"
    previous: str | None = None
    restore_point: str | None = None
    activated_at: str | None = None


@dataclass
class Registry:
    """All releases that were begun and not removed since, in the order in which they were.

    The one that was live before the first of ours is among them, under the name that another tool gave it.
    """

    releases: list[Release] = field(default_factory=list)

    def find(self, identifier: str) -> Release:
        """The release called so. Raises NotFound that lists those there are."""
        for release in self.releases:
            if release.id == identifier:
                return release
        there = ", ".join(release.id for release in reversed(self.releases)) or "none"
        raise NotFound(f"There is no release {identifier!r}. There are: {there}.")


@dataclass(frozen=True)
class Target:
    """Where a rollback goes, and the backup set that holds the database as that release left it."""

    id: str
    path: str
    restore_point: str | None


class Releases:
    """The releases of one application in its folder `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / journals.RELEASES
        self.shared = path / "shared"

    @property
    def current(self) -> str | None:
        """The id of the live release."""
        return journals.current_release(self.path)

    def folder_of(self, identifier: str) -> Path:
        """A release's folder. Raises InvalidInput for a name that is neither one of ours nor recorded."""
        ours = stamp_of(identifier) is not None or any(one.id == identifier for one in self.registry().releases)
        if not ours or "/" in identifier:
            raise InvalidInput(f"{identifier!r} is not the id of a release.")
        return self.folder / identifier

    def registry(self) -> Registry:
        """What is recorded. Raises HoldfastError when it cannot be read."""
        file = journals.state_dir(self.path) / _REGISTRY
        try:
            return Registry([Release(**entry) for entry in json.loads(file.read_bytes())["releases"]])
        except FileNotFoundError:
            return Registry()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HoldfastError(f"The registry {file} cannot be read: {error}.") from error

    def _save(self, registry: Registry) -> None:
        write_json(journals.state_dir(self.path) / _REGISTRY, asdict(registry), 0o600)

    def previous(self) -> str | None:
        """What was live before the live release first became so."""
        current = self.current
        known = {release.id: release.previous for release in self.registry().releases}
        return known.get(current) if current else None

    def new_id(self) -> str:
        """An id that sorts after all there are."""
        existing = [release.id for release in self.registry().releases]
        if self.folder.is_dir():
            existing += [entry.name for entry in self.folder.iterdir()]
        return f"{new_stamp(existing)}-{short_id()}"

    def start(self, source: str) -> Release:
        """Make the folder of a new release, marked as unfinished."""
        journals.prepare(self.path)
        make_dirs(self.folder)
        make_dirs(self.shared)
        with journals.exclusive(self.path, "registry.lock"):
            registry = self.registry()
            self._adopt(registry)
            release = Release(self.new_id(), _now(), source)
            registry.releases.append(release)
            self._save(registry)
            folder = self.folder_of(release.id)
            make_dirs(folder)
            (folder / MARKER).touch()
        return release

    def _adopt(self, registry: Registry) -> None:
        """Record what another tool made live, so that there is a way back to it."""
        current = self.current
        if current is None or any(release.id == current for release in registry.releases):
            return
        folder = self.folder / current
        revision = folder / REVISION
        registry.releases.append(
            Release(
                current,
                datetime.fromtimestamp(folder.stat().st_mtime, timezone.utc).isoformat(timespec="microseconds"),
                revision=revision.read_text().strip() if revision.is_file() else "",
                state="finished",
                activated_at=_now(),
            )
        )

    def link(self, identifier: str, revision: str, dirs: Sequence[str], files: Sequence[str]) -> bool:
        """Record the revision and link what releases share; returns whether anything changed.

        What a release ships of it becomes the shared one when there is none yet, and gives way to it otherwise.
        Raises HoldfastError before anything is touched when a name is not usable or a shared file is nowhere.
        """
        folder = self._existing(identifier)
        check_shared([*dirs, *files])
        for name in files:
            if not (self.shared / name).exists() and not (folder / name).is_file():
                raise NotFound(f"The shared file {name} is nowhere: put it at {self.shared / name}.")
        changed = [self._link_one(folder, name, is_dir=True) for name in dirs]
        changed += [self._link_one(folder, name, is_dir=False) for name in files]
        return self._record_revision(identifier, folder, revision) or any(changed)

    def _record_revision(self, identifier: str, folder: Path, revision: str) -> bool:
        with journals.exclusive(self.path, "registry.lock"):
            registry = self.registry()
            release = registry.find(identifier)
            if release.revision == revision:
                return False
            release.revision = revision
            (folder / REVISION).write_text(f"{revision}\n")
            self._save(registry)
        return True

    def _link_one(self, folder: Path, name: str, *, is_dir: bool) -> bool:
        place, shared = folder / name, self.shared / name
        target = os.path.relpath(shared, place.parent)
        if place.is_symlink() and os.readlink(place) == target and shared.exists():
            return False
        make_dirs(shared.parent)
        make_dirs(place.parent)
        if place.exists() and not place.is_symlink():
            if not shared.exists():
                place.rename(shared)
            elif place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink()
        if is_dir:
            make_dirs(shared)
        replace_link(place, target)
        return True

    def _existing(self, identifier: str) -> Path:
        """The folder of a release that is recorded and there. Raises NotFound."""
        folder = self.folder_of(identifier)
        self.registry().find(identifier)
        if not folder.is_dir():
            raise NotFound(f"The release {identifier} is recorded, but its folder {folder} is gone.")
        return folder

    def activate(self, identifier: str, restore_point: str | None) -> bool:
        """Make a release the live one by one rename; returns whether it was another before."""
        folder = self._existing(identifier)
        current = self.current
        if current == identifier:
            return False
        with journals.exclusive(self.path, "registry.lock"):
            registry = self.registry()
            release = registry.find(identifier)
            if not (folder / REVISION).exists() and release.activated_at is None:
                raise InvalidInput(f"The release {identifier} is not finished; it cannot go live.")
            if release.activated_at is None:
                release.previous = current
                release.restore_point = restore_point
                self._save_activated(registry, release)
                replace_link(self.path / journals.CURRENT, os.path.relpath(folder, self.path))
            else:
                replace_link(self.path / journals.CURRENT, os.path.relpath(folder, self.path))
                # Only the time is new; on a full disk going back is worth more.
                with contextlib.suppress(OSError):
                    self._save_activated(registry, release)
        return True

    def _save_activated(self, registry: Registry, release: Release) -> None:
        release.activated_at = _now()
        release.state = "finished"
        (self.folder_of(release.id) / MARKER).unlink(missing_ok=True)
        self._save(registry)

    def deactivate(self, identifier: str) -> bool:
        """Take the link away if it points at this release; returns whether it did."""
        if self.current != identifier:
            return False
        (self.path / journals.CURRENT).unlink()
        fsync_dir(self.path)
        return True

    def remove(self, identifier: str) -> bool:
        """Remove a release from disk and record. Raises InvalidInput for the live one."""
        folder = self.folder_of(identifier)
        if self.current == identifier:
            raise InvalidInput(f"The release {identifier} is live and cannot be removed.")
        with journals.exclusive(self.path, "registry.lock"):
            registry = self.registry()
            kept = [release for release in registry.releases if release.id != identifier]
            known = len(kept) < len(registry.releases)
            there = folder.exists()
            if there:
                folder.rename(self.folder / (_TRASH + identifier))
                # Before the record is written: it may be what fills the disk.
                self._empty_trash()
            if known:
                registry.releases = kept
                self._save(registry)
        return known or there

    def _empty_trash(self) -> None:
        for folder in self.folder.glob(_TRASH + "*"):
            shutil.rmtree(folder, ignore_errors=True)

    def to_prune(self, keep: int) -> list[str]:
        """The releases that pruning would remove, oldest first.

        Kept are the `keep` newest that were ever live, the live one, the one before it, and what an open journal
        names. Unfinished ones go, unless a deploy is running, whose own may be among them.
        """
        open_journal = journals.read(self.path)
        named = {self.current, self.previous()}
        if open_journal:
            named |= {open_journal["release"], open_journal["previous"]}
        releases = self.registry().releases
        finished = [release.id for release in releases if release.state == "finished"]
        named |= set(finished[-keep:])
        unfinished = [] if open_journal else [release.id for release in releases if release.state != "finished"]
        return [one for one in (*unfinished, *finished) if one not in named]

    def prune(self, keep: int) -> list[str]:
        """Remove what `to_prune` says; no deploy can begin meanwhile."""
        with journals.exclusive(self.path, "journal.lock"):
            gone = self.to_prune(keep)
            for identifier in gone:
                self.remove(identifier)
        self._empty_trash()
        return gone

    def unknown(self) -> list[str]:
        """Folders beside the releases that nobody recorded; they are left alone."""
        known = {release.id for release in self.registry().releases}
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if entry.name not in known)

    def rollback_target(self, identifier: str | None) -> Target:
        """Where to go back to: a named release, or the one that the live one replaced. Raises NotFound."""
        chain = self._chain()
        if not chain:
            raise NotFound(f"No release of {self.path} is live; there is nothing to go back from.")
        if identifier is None:
            identifier = chain[0].previous
            if identifier is None:
                raise NotFound(f"The release {chain[0].id} is the first one; there is none before it.")
        release = self.registry().find(identifier)
        if release.state != "finished":
            raise InvalidInput(f"The release {identifier} was never live; a rollback cannot go there.")
        left = next((one for one in chain if one.previous == identifier), None)
        return Target(identifier, str(self._existing(identifier)), left.restore_point if left else None)

    def _chain(self) -> list[Release]:
        """The live release, the one it replaced, the one that one replaced, and so on."""
        known = {release.id: release for release in self.registry().releases}
        chain: list[Release] = []
        identifier = self.current
        while identifier in known and known[identifier] not in chain:
            chain.append(known[identifier])
            identifier = known[identifier].previous
        return chain


def check_shared(names: Sequence[str]) -> None:
    """Raise InvalidInput for a shared path that leaves the release, or lies within another one."""
    paths = [PurePosixPath(name) for name in names]
    for name, path in zip(names, paths):
        if not name or path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise InvalidInput(
                f"The shared path {name!r} cannot be used: give one inside of the release, without '..'."
            )
        if any(other != path and other in path.parents for other in paths):
            raise InvalidInput(f"The shared path {name!r} lies within another shared path.")
    if len(set(paths)) < len(paths):
        raise InvalidInput("A shared path is given twice.")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")
