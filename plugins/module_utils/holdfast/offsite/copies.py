# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of backup sets in a bucket: PREFIX/APP/SET/FILE, the manifest last.

A copy is complete when its manifest is there and so are the files and bytes that the manifest's own entry counts.
"""

from __future__ import annotations

import hashlib
import shutil
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ..backup.partial import partial_set
from ..backup.prune import remove_set
from ..backup.sets import LEVELS, MANIFEST, SAFETY_LABEL, VERIFIED, BackupSet, read_set
from ..backup.verify import check_files
from ..errors import DamagedBackup, HoldfastError, NotFound, OffsiteError
from ..faults import reached
from ..files import PRIVATE_DIR, make_dirs
from ..names import stamp_of
from ..process import CHUNK
from .b2 import B2Store, Version

# Whoever uploads for longer than this without an end has died; B2 keeps the parts for ever otherwise.
_ABANDONED_AFTER = timedelta(days=1)
_LONGEST_VALUE = 500  # bytes; all of a file's own headers may have 2048 together


@dataclass(frozen=True)
class Copy:
    """What the bucket holds of one set: the newest whole version of each file, and all versions.

    Marks that hide files do not count: whoever may only write cannot make a backup disappear by hiding it.
    """

    id: str
    files: Mapping[str, Version]
    versions: tuple[Version, ...]

    @property
    def info(self) -> Mapping[str, str]:
        """What the manifest's entry says of the set; empty when there is no manifest."""
        return self.files[MANIFEST].info if MANIFEST in self.files else {}

    @property
    def complete(self) -> bool:
        """Whether every file of the set is there."""
        data = [one for name, one in self.files.items() if name not in (MANIFEST, VERIFIED)]
        found = {"files": str(len(data)), "bytes": str(sum(one.size for one in data))}
        return bool(self.info) and all(self.info.get(key) == value for key, value in found.items())

    @property
    def source(self) -> tuple[str, str]:
        """Engine and database, as far as the bucket knows them."""
        return self.info.get("engine", ""), self.info.get("database", "")

    @property
    def level(self) -> int:
        """How far the set was verified, as an index of LEVELS."""
        level = self.files[VERIFIED].info.get("level") if VERIFIED in self.files else None
        return LEVELS.index(level) if level in LEVELS else 0

    @property
    def size(self) -> int:
        """Bytes in the bucket, of all versions."""
        return sum(one.size for one in self.versions)

    @property
    def locked(self) -> bool:
        """Whether it cannot be removed now."""
        return any(one.locked for one in self.versions)

    def summary(self) -> dict[str, object]:
        """What an operator asks first."""
        return {
            "id": self.id,
            "complete": self.complete,
            "engine": self.source[0],
            "database": self.source[1],
            "label": self.info.get("label", ""),
            "verified": LEVELS[self.level],
            "size": self.size,
            "uploaded": max(one.uploaded for one in self.versions).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "locked": self.locked,
        }


@dataclass(frozen=True)
class _File:
    """A file of a set on this disk: its size in bytes, and the hashes that Holdfast and B2 know it by."""

    size: int
    sha256: str
    sha1: str

    def proven_by(self, version: Version | None) -> bool:
        """Whether an entry of the bucket's listing is of these very bytes."""
        return version is not None and (self.size, self.sha256, self.sha1) == (
            version.size,
            version.info.get("sha256"),
            version.sha1,
        )


class Copies:
    """The copies of one application's sets."""

    def __init__(self, store: B2Store, prefix: str, app: str) -> None:
        self._store = store
        self._app = app
        self.folder = "/".join(part for part in (prefix.strip("/"), app) if part) + "/"
        store.check_prefix(self.folder)

    def listed(self, name: str = "") -> list[Copy]:
        """All copies, or the one of the set called `name`, oldest first; also those that are not complete."""
        grouped: dict[str, list[Version]] = {}
        for version in self._store.versions(self.folder + (name and f"{name}/")):
            found, _, file = version.name[len(self.folder) :].partition("/")
            if stamp_of(found) and file and "/" not in file:
                grouped.setdefault(found, []).append(version)
        return [_copy(found, versions) for found, versions in sorted(grouped.items())]

    def find(self, name: str, engine: str | None = None, database: str | None = None) -> Copy:
        """The complete copy of a set, or of the newest for `latest`, which passes over safety backups.

        Raises NotFound that lists the sets there are.
        """
        every = self.listed()
        complete = [one for one in every if one.complete]
        if name == "latest":
            found = [
                one
                for one in complete
                if one.info.get("label") != SAFETY_LABEL
                and engine in (None, one.source[0])
                and (database is None or _value(database) == one.source[1])
            ]
        else:
            found = [one for one in complete if one.id == name]
        if found:
            return found[-1]
        there = ", ".join(one.id for one in reversed(complete)) or "none"
        torn = ", ".join(one.id for one in every if not one.complete)
        raise NotFound(
            f"There is no complete copy of the backup {name!r} in {self.folder}. There are: {there}."
            + (f" Not complete: {torn}." if torn else "")
        )

    def missing(self, backup: BackupSet) -> list[str]:
        """The files of a set that the bucket does not prove to have, the manifest last.

        Raises DamagedBackup when the set itself is not what its manifest says.
        """
        return self._missing(backup.id, _measured(backup))

    def _missing(self, name: str, known: Mapping[str, _File]) -> list[str]:
        found = {file: version for copy in self.listed(name) for file, version in copy.files.items()}
        return [file for file, wanted in known.items() if not wanted.proven_by(found.get(file))]

    def upload(self, backup: BackupSet) -> list[str]:
        """Store what the bucket lacks of a set; returns the names of those files.

        Raises DamagedBackup before anything is sent when the set is not what its manifest says, and OffsiteError when
        a listing afterwards does not prove every file.
        """
        with backup.reading():
            known = _measured(backup)
            sent = self._missing(backup.id, known)
            for names in ([name for name in sent if name != MANIFEST], [name for name in sent if name == MANIFEST]):
                for name in names:
                    self._send(backup, name, known[name])
                    reached("upload: manifest sent" if name == MANIFEST else "upload: data sent")
                torn = set(self._missing(backup.id, known)).intersection(names) if names else ()
                if torn:
                    raise OffsiteError(f"After its upload the copy of {backup.id} lacks {', '.join(sorted(torn))}.")
            if sent or not backup.offsite:
                self._note(backup)
        return sent

    def _note(self, backup: BackupSet) -> BackupSet:
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return backup.with_offsite({"bucket": self._store.bucket, "path": self.folder + backup.id, "at": at})

    def _send(self, backup: BackupSet, name: str, file: _File) -> None:
        made = stamp_of(backup.id)
        assert made is not None, "a set's id begins with its time"
        info = _info(backup, name, file.sha256)
        self._store.upload(backup.path / name, self.folder + f"{backup.id}/{name}", info, file.sha1, made=made)

    def local(self, copy: Copy, root: Path) -> BackupSet | None:
        """The set of a copy if it is on this machine already, and whole."""
        return _whole(root / self._app / copy.id)

    def fetch(self, copy: Copy, root: Path) -> tuple[BackupSet, bool]:
        """The set of a copy on this machine, and whether it had to be fetched; it is whole, or not there.

        Raises DamagedBackup when what arrives is not what the manifest says.
        """
        there = self.local(copy, root)
        if there:
            return there, False
        folder = root / self._app
        make_dirs(folder, PRIVATE_DIR)
        _check_room(folder, copy)
        with partial_set(folder, lambda _: copy.id) as partial:
            self._receive(copy, MANIFEST, partial)
            backup = read_set(partial)
            for name in [*(entry.name for entry in backup.manifest.files), *copy.files.keys() & {VERIFIED}]:
                self._receive(copy, name, partial)
            check_files(backup)
            if (folder / copy.id / MANIFEST).exists():
                remove_set(read_set(folder / copy.id))  # the damaged one that this replaces
        return self._note(read_set(folder / copy.id)), True

    def _receive(self, copy: Copy, name: str, folder: Path) -> None:
        if name not in copy.files:
            raise DamagedBackup(f"The copy of {copy.id} lacks its file {name}.")
        self._store.download(copy.files[name], folder / name)
        if name in (MANIFEST, VERIFIED) and not _measure(folder / name).proven_by(copy.files[name]):
            raise DamagedBackup(f"The copy of {copy.id} is damaged: its {name} is not what was sent.")

    def remove(self, copy: Copy) -> bool:
        """Remove a copy, its manifest first; False when it is locked."""
        versions = sorted(copy.versions, key=lambda one: not one.name.endswith("/" + MANIFEST))
        return not copy.locked and all(self._store.remove(one) for one in versions)

    def clean(self, remnants: Iterable[Version]) -> int:
        """Remove what `remnants` found; returns how many."""
        return sum(self._store.remove(one) for one in remnants)


def remnants(copies: Iterable[Copy], now: datetime) -> list[Version]:
    """What is of no use to anybody: replaced versions, marks that hide files, and uploads that nobody goes on with."""
    found: list[Version] = []
    for copy in copies:
        newest = {id(version) for version in copy.files.values()}
        abandoned = not copy.complete and all(_abandoned(one, now) for one in copy.versions)
        for one in copy.versions:
            replaced = one.action == "upload" and copy.complete and id(one) not in newest
            if abandoned or replaced or one.action == "hide" or (one.action == "start" and _abandoned(one, now)):
                found.append(one)
    return [one for one in found if not one.locked]


def _abandoned(version: Version, now: datetime) -> bool:
    return now - version.uploaded > _ABANDONED_AFTER


def _copy(name: str, versions: list[Version]) -> Copy:
    newest: dict[str, Version] = {}
    for version in sorted(versions, key=lambda one: one.uploaded):
        if version.action == "upload":
            newest[version.name.rpartition("/")[2]] = version
    return Copy(name, newest, tuple(versions))


def _measured(backup: BackupSet) -> dict[str, _File]:
    """The files of a set as they are on this disk, the manifest last. Raises DamagedBackup."""
    found = {}
    for entry in backup.manifest.files:
        found[entry.name] = _measure(backup.path / entry.name)
        if (found[entry.name].size, found[entry.name].sha256) != (entry.size, entry.sha256):
            check_files(backup)
    for name in (VERIFIED, MANIFEST):
        if (backup.path / name).exists():
            found[name] = _measure(backup.path / name)
    return found


def _info(backup: BackupSet, name: str, sha256: str) -> dict[str, str]:
    info = {"sha256": sha256}
    if name == VERIFIED:
        info["level"] = LEVELS[backup.level]
    if name == MANIFEST:
        info |= {
            "engine": backup.manifest.engine,
            "database": _value(backup.manifest.database),
            "label": backup.manifest.label,
            "files": str(len(backup.manifest.files)),
            "bytes": str(backup.size),
        }
    return info


def _value(text: str) -> str:
    """A text that fits into a header, or the hash of one that does not."""
    return text if len(urllib.parse.quote(text)) <= _LONGEST_VALUE else hashlib.sha256(text.encode()).hexdigest()


def _measure(path: Path) -> _File:
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    size = 0
    try:
        with open(path, "rb") as handle:
            while chunk := handle.read(CHUNK):
                sha256.update(chunk)
                sha1.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise DamagedBackup(f"The file {path} of the backup cannot be read: {error.strerror}.") from error
    return _File(size, sha256.hexdigest(), sha1.hexdigest())


def _whole(path: Path) -> BackupSet | None:
    """The set at `path`, if it is there and what its manifest says."""
    try:
        found = read_set(path)
        check_files(found)
    except (NotFound, DamagedBackup):
        return None
    return found


def _check_room(folder: Path, copy: Copy) -> None:
    needed = sum(one.size for one in copy.files.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise HoldfastError(f"The copy of {copy.id} has {needed} bytes, but {folder} has room for {free} only.")
