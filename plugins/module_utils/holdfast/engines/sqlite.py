# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite, by Python's own library: online copies in and out, without stopping who has the file open."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..asking import Ask
from ..compression import hash_file
from ..content import Content, Table
from ..errors import DamagedBackup, DatabaseError
from ..faults import reached
from ..files import fsync_dir
from ..names import short_id
from ..process import CHUNK
from ..streams import JOBS, Bytes, Streams
from .base import Dump, Engine, Inspection, Position

_MAGIC = b"SQLite format 3\0"
_BUSY_TIMEOUT_S = 30.0
_PAGES_PER_STEP = 4096
# The first 48 bytes of the -shm file identify a WAL snapshot: change counter, frames, salts and checksums
# (https://www.sqlite.org/walformat.html, 2.1 "The WAL-Index Header").
_WAL_INDEX_HEADER = 48
_WAL_VERSION = b"\x02"  # https://www.sqlite.org/fileformat.html, 1.3.3


def quote(name: str) -> str:
    """An identifier as it stands in a statement (https://www.sqlite.org/lang_keywords.html)."""
    return '"' + name.replace('"', '""') + '"'


class SQLite(Engine):
    """One database file."""

    name = "sqlite"
    suffix = ".sqlite"
    load_is_atomic = True

    @property
    def _path(self) -> Path:
        return Path(self.login.database)

    def check_tools(self) -> None:
        """Python brings all that is needed."""

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with _opened(self._path, read_only=True) as connection:
            yield connection

    def inspect(self) -> Inspection:
        with self._connect() as connection:
            # A read makes the library look at the file and its log before their marks are taken.
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            size = self._path.stat().st_size
            return Inspection(sqlite3.sqlite_version, size, self._position())

    def _position(self) -> Position:
        """The file change counter (https://www.sqlite.org/fileformat.html, 1.3.8) and the log's header.

        With a write-ahead log the counter may stand still. Then the log's header tells, and where the log was
        folded back into the file and removed, the file's own hash.
        """
        with open(self._path, "rb") as handle:
            header = handle.read(100)
        position: Position = {"change_counter": int.from_bytes(header[24:28], "big")}
        index = Path(f"{self._path}-shm")
        log = Path(f"{self._path}-wal")
        if index.exists() and log.exists() and log.stat().st_size:
            position["wal"] = index.read_bytes()[:_WAL_INDEX_HEADER].hex()
        elif header[18:19] == _WAL_VERSION:
            position["sha256"] = hash_file(self._path)[1]
        return position

    @contextlib.contextmanager
    def asking(self) -> Iterator[Ask]:
        if not self._path.is_file():
            raise DatabaseError(f"There is no SQLite database at {self._path}.")
        with _opened(self._path, read_only=False) as connection:

            def ask(query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                return connection.execute(query % (("?",) * len(values)) if values else query, values).fetchall()

            yield ask

    def count_rows(self) -> dict[str, int]:
        with self._connect() as connection:
            return {
                name: int(connection.execute(f"SELECT COUNT(*) FROM {quote(name)}").fetchone()[0])
                for name in _table_names(connection)
            }

    @contextlib.contextmanager
    def dump(self, workdir: Path, jobs: int = JOBS) -> Iterator[Dump]:
        yield _FileDump(self._path, workdir)

    def examine(self, stream: Iterable[bytes], workdir: Path) -> Content:
        with _spooled(stream, workdir) as copy:
            return _checked_content(copy)

    def load(self, streams: Streams, *, script: bool = False, fresh: bool = False) -> None:
        if script:
            with _built(streams.joined(), self._path.parent) as staged:
                self._replace(staged)
        else:
            with _spooled(streams.joined(), self._path.parent) as staged:
                _checked_content(staged)
                self._replace(staged)

    def _replace(self, staged: Path) -> None:
        """Put the staged file's content in place of the live one's, in one transaction of the live file.

        Who has the file open goes on with the new content. A live file that is missing or no database at all
        is replaced by a rename; what was there is kept beside it.
        """
        if not _is_database(self._path):
            self._replace_file(staged)
            return
        with _opened(staged, read_only=True) as source, _opened(self._path, read_only=False) as target:
            if _page_size(source) != _page_size(target):
                # https://www.sqlite.org/pragma.html#pragma_page_size: not to be changed under a write-ahead log.
                target.execute("PRAGMA journal_mode = DELETE")
            _copy(source, target)

    def _replace_file(self, staged: Path) -> None:
        for path in (Path(f"{self._path}{suffix}") for suffix in ("-wal", "-shm", "-journal", "")):
            if path.exists():
                path.rename(path.with_name(f"{path.name}.damaged-{short_id()}"))
        os.rename(staged, self._path)
        fsync_dir(self._path.parent)

    def prepare_swap(self, staged: Engine, kept: str) -> None:
        """Nothing but its content belongs to a file."""

    def swap(self, staged: Engine, kept: str) -> None:
        """Keep a copy of the live file, and put the finished one's content in its place in one transaction.

        Who has the file open goes on with the new content. A finished file that was kept before is removed.
        """
        source = Path(staged.login.database)
        if _is_database(self._path):
            self._keep(Path(kept))
            reached("swap: begun")
            self._replace(source)
        else:
            # It gets there by a rename, which takes a copy on the same file system.
            with open(source, "rb") as pieces, _spooled(pieces, self._path.parent) as near:
                self._replace(near)
        _remove(source)

    def _keep(self, path: Path) -> None:
        copy = _temporary(path.parent)
        try:
            with _opened(self._path, read_only=True) as source, _opened(copy, read_only=False) as target:
                _copy(source, target)
            status = self._path.stat()
            copy.chmod(stat.S_IMODE(status.st_mode))
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(copy, status.st_uid, status.st_gid)
            os.rename(copy, path)
            fsync_dir(path.parent)
        finally:
            _remove(copy)

    def neighbours(self) -> list[str]:
        folder, start = self._path.parent, self.login.database[: -len(self._path.name)]
        return [start + path.name for path in folder.iterdir()] if folder.is_dir() else []

    def create(self, settings: Mapping[str, str]) -> None:
        with _opened(self._path, read_only=False) as connection:
            connection.execute("PRAGMA user_version = 0")

    def drop(self) -> None:
        _remove(self._path)

    def scratch_name(self, folder: Path) -> str:
        return str(folder / f".{super().scratch_name(folder)}")


class _FileDump(Dump):
    """A copy made through SQLite's backup interface, streamed from a temporary file."""

    def __init__(self, path: Path, workdir: Path) -> None:
        self._path = path
        self._workdir = workdir
        self._content: Content | None = None

    def __iter__(self) -> Iterator[Bytes]:
        copy = _temporary(self._workdir)
        try:
            with _opened(self._path, read_only=True) as source, _opened(copy, read_only=False) as target:
                _copy(source, target)
            self._content = _checked_content(copy)
            with open(copy, "rb") as handle:
                while chunk := handle.read(CHUNK):
                    yield chunk
        finally:
            _remove(copy)

    @property
    def content(self) -> Content:
        assert self._content is not None, "asked before the dump's end"
        return self._content


@contextlib.contextmanager
def _opened(path: Path, *, read_only: bool) -> Iterator[sqlite3.Connection]:
    """A connection. Raises DatabaseError for whatever the library says, naming the file."""
    if read_only and not path.is_file():
        raise DatabaseError(f"There is no SQLite database at {path}.")
    mode = "ro" if read_only else "rwc"
    connection = None
    try:
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        connection.text_factory = lambda value: value.decode(errors="surrogateescape")
        yield connection
    except sqlite3.Error as error:
        raise DatabaseError(f"The SQLite database {path} cannot be used: {error}.") from error
    finally:
        if connection is not None:
            connection.close()


def _page_size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy all pages in one transaction. Raises DatabaseError when a lock is not given up in time."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    left = -1

    def progress(_: int, remaining: int, __: int) -> None:
        nonlocal deadline, left
        if remaining != left:
            left, deadline = remaining, time.monotonic() + _BUSY_TIMEOUT_S
        elif time.monotonic() > deadline:
            raise DatabaseError(f"The SQLite database stayed locked for {_BUSY_TIMEOUT_S:.0f} s by another process.")

    source.execute("BEGIN")
    source.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    try:
        source.backup(target, pages=_PAGES_PER_STEP, progress=progress, sleep=0.05)
    finally:
        source.execute("ROLLBACK")


def _table_names(connection: sqlite3.Connection) -> list[str]:
    """The tables that hold rows: a virtual one keeps its rows in others, and may need a module not loaded here."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    )
    return [str(row[0]) for row in rows]


def _checked_content(path: Path) -> Content:
    """The content of a file nobody else uses. Raises DamagedBackup when it is not a sound database."""
    if not _is_database(path):
        raise DamagedBackup("The backup's data is not an SQLite database.")
    try:
        with _opened(path, read_only=True) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise DamagedBackup(f"The SQLite database is damaged: {found}.")
            tables = {name: _table(connection, name) for name in _table_names(connection)}
            return Content(tables, _schema(connection), _counters(connection))
    except DatabaseError as error:
        raise DamagedBackup(f"The backup's data cannot be read: {error}") from error


def _table(connection: sqlite3.Connection, name: str) -> Table:
    digest = hashlib.sha256()
    rows = 0
    for row in connection.execute(f"SELECT * FROM {quote(name)}"):
        digest.update(repr(row).encode(errors="surrogateescape") + b"\n")
        rows += 1
    return Table(rows, digest.hexdigest())


def _schema(connection: sqlite3.Connection) -> str:
    digest = hashlib.sha256()
    for row in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2, 3"):
        digest.update(repr(row).encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()


def _counters(connection: sqlite3.Connection) -> dict[str, str]:
    """How AUTOINCREMENT goes on (https://www.sqlite.org/autoinc.html)."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return {}
    return {str(name): str(value) for name, value in connection.execute("SELECT name, seq FROM sqlite_sequence")}


def _is_database(path: Path) -> bool:
    """Whether the file begins as SQLite's do; an empty file is a database without tables."""
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        head = handle.read(len(_MAGIC))
    return head in (_MAGIC, b"")


def _temporary(folder: Path) -> Path:
    path = folder / f".holdfast-{short_id()}.sqlite"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return path


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def _spooled(stream: Iterable[bytes], folder: Path) -> Iterator[Path]:
    """The stream as a file in `folder`, removed at the end unless it was renamed."""
    path = _temporary(folder)
    try:
        with open(path, "wb") as handle:
            for chunk in stream:
                handle.write(chunk)
            handle.flush()
            os.fsync(handle.fileno())
        yield path
    finally:
        _remove(path)


@contextlib.contextmanager
def _built(stream: Iterable[bytes], folder: Path) -> Iterator[Path]:
    """A database file built by SQL text, statement by statement, removed at the end unless it was renamed."""
    path = _temporary(folder)
    try:
        with _opened(path, read_only=False) as connection:
            for statement in _statements(stream):
                connection.execute(statement)
        yield path
    finally:
        _remove(path)


def _statements(stream: Iterable[bytes]) -> Iterator[str]:
    """Whole SQL statements, by the library's own judgement of where one ends."""
    pending = b""
    statement = ""
    for chunk in stream:
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            statement += line.decode() + "\n"
            if line.rstrip().endswith(b";") and sqlite3.complete_statement(statement):
                yield statement
                statement = ""
    if (statement + pending.decode()).strip():
        yield statement + pending.decode()
