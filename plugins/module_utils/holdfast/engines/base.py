# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every engine offers, and the plain values it offers it with."""

from __future__ import annotations

import collections
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar

from ..asking import Ask
from ..content import Content
from ..errors import DatabaseError, SwapRefused, ToolFailed
from ..names import kept_since, kept_suffix, short_id
from ..streams import JOBS, Bytes, Streams, side_by_side

Position = dict[str, Any]
Settings = dict[str, str]
SCRATCH_PREFIX = "holdfast_scratch_"


@dataclass(frozen=True)
class Login:
    """How to reach one database; for SQLite `database` is the path of the file and the rest is unused."""

    database: str
    login_host: str = "localhost"
    login_port: int | None = None
    login_user: str | None = None
    login_password: str | None = field(default=None, repr=False)
    login_unix_socket: str | None = None

    def to(self, database: str) -> Login:
        """The same login for another database of the server."""
        return replace(self, database=database)


@dataclass(frozen=True)
class Inspection:
    """A look at a live database. `size` is in bytes; `position` is None where the engine cannot tell.

    `settings` are those a database is created with, such as its character set.
    """

    version: str
    size: int
    position: Position | None
    settings: Settings = field(default_factory=dict)


class Dump(ABC):
    """A dump as it streams: iterate over it once for its bytes; afterwards `content` tells what it held.

    Its `parts` are streams of their own, to be read as well, side by side with it or not. Their rows belong into this
    one, `parts_at` bytes from its beginning; to be asked after the last byte of all.
    """

    parts: Sequence[Dump] = ()
    parts_at: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Bytes]:
        """The dump's bytes. Raises HoldfastError when the dump is not whole."""

    @property
    @abstractmethod
    def content(self) -> Content:
        """What the dump held; to be asked after the last byte."""


class Engine(ABC):
    """One database of one kind of server."""

    name: ClassVar[str]
    suffix: ClassVar[str]  # of the data's file in a backup set, before the compression's own

    def __init__(self, login: Login) -> None:
        self.login = login

    @abstractmethod
    def check_tools(self) -> None:
        """Raise MissingTool or MissingLibrary for what a dump or a restore would need."""

    def check_load(self) -> None:  # noqa: B027 - most engines have nothing to check
        """Raise HoldfastError when the login is known to be unable to load what the database holds now."""

    @abstractmethod
    def inspect(self) -> Inspection:
        """Version, size and position of the live database. Raises DatabaseError when it cannot be reached."""

    def unchanged(self, before: Position | None, now: Position | None) -> bool:
        """Whether nothing can have been written between two positions."""
        return before is not None and before == now

    @abstractmethod
    def asking(self) -> AbstractContextManager[Ask]:
        """A connection for statements of one's own, each committed at once unless it stands in a transaction.

        Errors are the driver's within the block. Raises DatabaseError for those that leave it.
        """

    @abstractmethod
    def count_rows(self) -> dict[str, int]:
        """The exact number of rows of each table, now."""

    @abstractmethod
    def dump(self, workdir: Path, jobs: int = JOBS) -> AbstractContextManager[Dump]:
        """A consistent dump of the live database, to be read in the block; `workdir` may be used for temporary files.

        Where the engine can, it is of up to `jobs` streams.
        """

    @abstractmethod
    def examine(self, stream: Iterable[bytes], workdir: Path) -> Content:
        """Read a dump to its end. Raises DamagedBackup when it is not a whole one of this engine."""

    @abstractmethod
    def load(self, streams: Streams, *, script: bool = False, fresh: bool = False) -> None:
        """Replace everything in the database by the dump; what works by itself sleeps until `wake`.

        `script` says that it is SQL text made by others, `fresh` that the database was just made by `create` and that
        nobody misses it. Raises DatabaseError or ToolFailed; whether the old content is still there is told by
        `load_is_atomic`, unless it was a fresh one.
        """

    def wake(self) -> None:  # noqa: B027 - most engines have nothing that sleeps
        """Let what was loaded do its work, where it does any by itself: this is the live database, and whole."""

    load_is_atomic: ClassVar[bool]
    scratch_hint: ClassVar[str] = ""  # what a login needs to create scratch databases

    @abstractmethod
    def create(self, settings: Mapping[str, str]) -> None:
        """Create the database, empty, with what `inspect` said of another one's settings."""

    @abstractmethod
    def drop(self) -> None:
        """Remove the database if it is there."""

    def content(self, workdir: Path) -> Content:
        """What the live database holds now, by dumping it to nowhere."""
        try:
            return self._content(workdir, JOBS)
        except (DatabaseError, ToolFailed):
            return self._content(workdir, 1)  # the server may not grant as many connections

    def _content(self, workdir: Path, jobs: int) -> Content:
        with self.dump(workdir, jobs) as dump:
            side_by_side(lambda _, stream: collections.deque(stream, maxlen=0), [dump, *dump.parts], jobs)
            return dump.content

    def scratch_name(self, folder: Path) -> str:
        """A name for a scratch database that no other run uses; a database of files lies in `folder`."""
        return SCRATCH_PREFIX + short_id()

    name_limit: ClassVar[int | None] = None  # the longest name of a database, in the units of `len`

    @abstractmethod
    def prepare_swap(self, staged: Engine, kept: str) -> None:
        """Give an empty database what belongs to the live one's name and not to its content, such as its owner.

        `kept` is the name that the live one shall have afterwards. Raises SwapRefused where `swap` could not succeed.
        """

    @abstractmethod
    def swap(self, staged: Engine, kept: str) -> None:
        """Let a finished database take the live one's place and name; the live one goes on as `kept`.

        Whenever this is killed, one of the two is live, whole, at the latest after the next `mend`. Raises SwapRefused
        with the live one untouched.
        """

    def mend(self) -> None:  # noqa: B027 - most engines swap in one step
        """Finish or undo what a killed `swap` left. Nobody else may be at it."""

    @abstractmethod
    def neighbours(self) -> Iterable[str]:
        """The names of the databases that the login sees beside its own."""

    def kept(self) -> list[str]:
        """The names of the databases that were replaced by a swap, oldest first."""
        names = {kept_since(name, self.login.database): name for name in self.neighbours()}
        return [names[since] for since in sorted(since for since in names if since)]

    def kept_name(self) -> str:
        """A name for what a swap replaces now. Raises SwapRefused for one that the server would not take."""
        now = datetime.now(timezone.utc)
        newest = max((kept_since(name, self.login.database) or now for name in self.kept()), default=None)
        if newest and newest >= now.replace(microsecond=0):
            now = newest + timedelta(seconds=1)
        name = self.login.database + kept_suffix(now)
        if self.name_limit and len(name.encode()) > self.name_limit:
            raise SwapRefused(f"The name {name} would be longer than the server allows ({self.name_limit} bytes).")
        return name

    def beside(self, database: str) -> Engine:
        """The engine of another database of the same server, by the same login."""
        return type(self)(self.login.to(database))
