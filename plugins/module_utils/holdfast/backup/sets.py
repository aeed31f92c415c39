# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup set says of itself, and where sets live."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..compression import CODECS, decompressed, decrypted
from ..content import Content, Table
from ..errors import DamagedBackup, InvalidInput, NotFound, WrongKey
from ..files import write_json
from ..names import check_name, stamp_of
from ..streams import Streams
from ..units import span

MANIFEST = "manifest.json"
VERIFIED = "verified.json"
OFFSITE = "offsite.json"
PARTIAL = ".partial-"
LOCK = "lock"  # in a partial set: held by who works on it
SAFETY_LABEL = "safety"
LEVELS = ("none", "checksum", "archive", "rehearse")
_VERSION = 2
_ROWS_ONLY = 1  # the version without a hash of its own; of what it says of the content, only the rows still compare


@dataclass(frozen=True)
class DataFile:
    """A file of the set: sizes in bytes, as stored and before compression.

    The first holds the dump. Others hold rows, which belong into it `at` bytes from its beginning.
    """

    name: str
    size: int
    sha256: str
    raw_size: int
    at: int = 0


@dataclass(frozen=True)
class Manifest:
    """Version 2 of the manifest; written once, with the set, and never changed."""

    id: str
    app: str
    label: str
    created: str
    host: str
    engine: str
    database: str
    server_version: str
    size: int
    position: dict[str, Any] | None
    settings: dict[str, str]
    content: Content
    compression: str
    compression_level: int
    files: tuple[DataFile, ...]
    duration: float
    encrypted_to: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The manifest as it stands in the file."""
        value = asdict(self)
        content = value.pop("content")
        separate = sorted(content["separate"])
        return sealed(
            {
                "manifest_version": _VERSION,
                **value,
                "tables": content["tables"],
                "schema": content["schema"],
                "counters": content["counters"],
                # Rows, counts and checksums are of one snapshot, but for the tables named as separate.
                "snapshot": {"consistent": not separate, "separate_tables": separate},
            }
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Manifest:
        """Read a manifest. Raises KeyError, TypeError or ValueError for one that is not ours."""
        version = value["manifest_version"]
        if version not in (_VERSION, _ROWS_ONLY):
            raise ValueError(f"manifest version {version} is not known to this Holdfast")
        if version != _ROWS_ONLY and sealed(value)["sha256"] != value["sha256"]:
            raise ValueError("it is not what was written (SHA-256)")
        content = Content(
            {name: Table(**table) for name, table in value["tables"].items()},
            None if version == _ROWS_ONLY else value["schema"],
            None if version == _ROWS_ONLY else value["counters"],
            tuple(value["snapshot"]["separate_tables"]),
        )
        special = ("content", "files", "encrypted_to", "settings")
        own = {key: value[key] for key in cls.__dataclass_fields__ if key not in special}
        own["settings"] = {} if version == _ROWS_ONLY else value["settings"]
        files = tuple(DataFile(**entry) for entry in value["files"])
        return cls(**own, content=content, files=files, encrypted_to=tuple(value.get("encrypted_to", ())))


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with the hash of all else that it says, by which a flipped bit in it is found."""
    rest = {name: entry for name, entry in value.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, default=list)
    return {**rest, "sha256": hashlib.sha256(text.encode()).hexdigest()}


@dataclass(frozen=True)
class BackupSet:
    """A complete set on disk.

    `verified` is the most that was found of it, None when nobody looked; `offsite` where its copy is, None without one;
    `identity` the key that opens it where it is encrypted and the key was given.
    """

    path: Path
    manifest: Manifest
    verified: dict[str, Any] | None = None
    offsite: dict[str, Any] | None = None
    identity: str | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """The set's name, which is its folder's too."""
        return self.manifest.id

    @property
    def source(self) -> tuple[str, str]:
        """Engine and database."""
        return self.manifest.engine, self.manifest.database

    @property
    def size(self) -> int:
        """Bytes of its data on disk."""
        return sum(entry.size for entry in self.manifest.files)

    @property
    def level(self) -> int:
        """How far it was verified, as an index of LEVELS."""
        level = self.verified.get("level") if self.verified else None
        return LEVELS.index(level) if level in LEVELS else 0

    def data_file(self) -> Path:
        """The file that holds the dump."""
        return self.path / self.manifest.files[0].name

    def data_files(self) -> list[Path]:
        """All files with parts of the dump, that one first."""
        return [self.path / entry.name for entry in self.manifest.files]

    def streams(self) -> Streams:
        """The dump, decrypted and unpacked. Its streams raise WrongKey, or DamagedBackup when not whole or too long."""
        main, *parts = self.manifest.files
        return Streams(self._content(main), [self._content(part) for part in parts], parts[0].at if parts else 0)

    def data(self) -> Iterator[bytes]:
        """The dump as one stream."""
        return self.streams().joined()

    def _content(self, file: DataFile) -> Iterator[bytes]:
        codec = CODECS.get(self.manifest.compression)
        if codec is None:
            raise DamagedBackup(f"The backup {self.id} is packed by {self.manifest.compression!r}, which is unknown.")
        path = self.path / file.name
        stream = decrypted(path, codec, self.key()) if self.manifest.encrypted_to else decompressed(path)
        size = 0
        for piece in stream:
            size += len(piece)
            # A few bytes may unpack to what no disk can hold.
            if size > file.raw_size:
                raise DamagedBackup(
                    f"The backup {self.id} unpacks to more than the {file.raw_size} bytes of its manifest."
                )
            yield piece
        if size < file.raw_size:
            raise DamagedBackup(
                f"The backup {self.id} is damaged: {file.name} unpacks to {size} bytes instead of {file.raw_size}."
            )

    def key(self) -> str:
        """The key that opens it. Raises WrongKey when it was not given."""
        if self.identity is None:
            raise WrongKey(f"The backup {self.id} is encrypted. Give the key that opens it by age_identity.")
        return self.identity

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the set from being pruned while it is read."""
        with open(self.path / MANIFEST, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield

    def with_verified(self, verified: dict[str, Any]) -> BackupSet:
        """The same set after `verified` was written beside its manifest, unless it was verified further before."""
        if LEVELS.index(verified["level"]) < self.level:
            return self
        write_json(self.path / VERIFIED, verified, 0o600)
        return replace(self, verified=verified)

    def with_offsite(self, offsite: dict[str, Any]) -> BackupSet:
        """The same set after `offsite` was written beside its manifest."""
        write_json(self.path / OFFSITE, offsite, 0o600)
        return replace(self, offsite=offsite)

    def forget_verified(self) -> None:
        """Remove what is known of it; for a set that turned out to be damaged."""
        (self.path / VERIFIED).unlink(missing_ok=True)

    def summary(self) -> dict[str, Any]:
        """What an operator asks first, as the modules return it."""
        manifest = self.manifest
        return {
            "id": manifest.id,
            "path": str(self.path),
            "app": manifest.app,
            "label": manifest.label,
            "created": manifest.created,
            "engine": manifest.engine,
            "database": manifest.database,
            "server_version": manifest.server_version,
            "tables": {name: table.rows for name, table in manifest.content.tables.items()},
            "size": self.size,
            "position": manifest.position,
            "consistent": not manifest.content.separate,
            "verified": LEVELS[self.level],
            "verification": self.verified,
            "offsite": self.offsite,
            "encrypted_to": list(manifest.encrypted_to),
            "duration": manifest.duration,
        }


def read_set(path: Path) -> BackupSet:
    """The set in a folder. Raises NotFound, or DamagedBackup when its manifest cannot be understood."""
    try:
        manifest = Manifest.from_json(json.loads((path / MANIFEST).read_bytes()))
        if not manifest.files or any("/" in entry.name or entry.name in (".", "..") for entry in manifest.files):
            raise ValueError("it names no file, or one outside of the set")
    except FileNotFoundError:
        raise NotFound(f"There is no backup set at {path}.") from None
    except OSError as error:
        raise DamagedBackup(f"The backup set {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBackup(f"The manifest of {path} cannot be understood: {error}.") from error
    return BackupSet(path, manifest, _note(path / VERIFIED), _note(path / OFFSITE))


def _note(path: Path) -> dict[str, Any] | None:
    """What a file beside the manifest says, None when there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def list_sets(root: Path, app: str) -> tuple[list[BackupSet], list[str]]:
    """All complete sets of an application, oldest first, and a sentence for each that cannot be read."""
    folder = root / check_name("app", app)
    sets: list[BackupSet] = []
    damaged: list[str] = []
    try:
        names = sorted(entry.name for entry in folder.iterdir() if stamp_of(entry.name))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise InvalidInput(f"Cannot read {folder}: {error.strerror}.") from error
    for name in names:
        try:
            sets.append(read_set(folder / name))
        except (DamagedBackup, NotFound) as error:
            damaged.append(str(error))
    return sets, damaged


def overdue(sets: Sequence[BackupSet], max_age: float, now: datetime) -> str | None:
    """A sentence when no set that was made as a backup is younger than `max_age` seconds."""
    made = [stamp_of(one.id) for one in sets if one.manifest.label != SAFETY_LABEL]
    newest = max((time for time in made if time), default=None)
    if newest is None:
        return "There is no backup at all."
    age = (now - newest).total_seconds()
    return f"The newest backup is {span(age)} old, and {span(max_age)} is allowed." if age > max_age else None


def find_set(root: Path, app: str, name: str, engine: str | None, database: str | None = None) -> BackupSet:
    """The set called `name`, or the newest for `latest`; a path to a set's folder is taken as it is.

    `latest` passes over safety backups, which hold what a restore replaced, and, with `engine` or `database`, over
    the sets of others. Raises NotFound that lists the sets there are.
    """
    if "/" in name:
        return read_set(Path(name))
    sets, damaged = list_sets(root, app)
    if name == "latest":
        found = [
            one
            for one in sets
            if engine in (None, one.manifest.engine)
            and one.manifest.label != SAFETY_LABEL
            and database in (None, one.manifest.database)
        ]
    else:
        found = [one for one in sets if one.id == name]
    if found:
        return found[-1]
    there = ", ".join(one.id for one in reversed(sets)) or "none"
    also = f" Unreadable: {' '.join(damaged)}" if damaged else ""
    raise NotFound(f"There is no backup {name!r} of {app} in {root}. There are: {there}.{also}")
