# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers and notes of checks, in a folder that all callers on a host share."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .cache import Ask, Entry, decide, stand_in
from .checks import Answer, Check
from .deadline import Deadline

_SALT = "salt"
_PAUSE_S = 0.01
_LONGEST_SALT = hashlib.blake2b.MAX_KEY_SIZE


class Store:
    """What is kept in a folder; without one, nothing is kept from one process to the next.

    A store that is `read_only` never writes. One that is `patient` asks by itself, and waits, where another would
    serve an old answer and ask behind the caller's back. That something cannot be written, as on a full disk, is no
    failure of a check: it is then asked anew each time. A folder that others may write to is not used. `problem` says
    why nothing is kept, where that is so. `clock` gives the time of day in seconds since 1970.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        read_only: bool = False,
        patient: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._read_only = read_only
        self._patient = patient
        self.clock = clock
        self._notes: dict[str, dict[str, Any]] = {}
        self.problem = ""
        self._salt = self._prepare()

    def _prepare(self) -> bytes:
        """Make the folder. Its salt keeps a name of a file in it from telling whether a guessed secret is right."""
        if self._folder is None:
            return b""
        folder, self._folder = self._folder, None
        salt = folder / _SALT
        try:
            if not self._read_only:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not _is_ours(folder):
                self.problem = (
                    f"Nothing is kept in {folder}: others may write to it, so what is there cannot be trusted."
                )
                return b""
            if not salt.exists() and not self._read_only:
                self._write_salt(salt)
            found = salt.read_bytes()[:_LONGEST_SALT]
        except OSError as error:
            if not self._read_only:
                self.problem = f"Nothing is kept in {folder}: {error.strerror}."
            return b""
        self._folder = folder
        return found

    def _write_salt(self, salt: Path) -> None:
        """Of several that come at once, one makes it, and none sees it before it is whole."""
        temporary = salt.with_name(f".{_SALT}.{secrets.token_hex(4)}")
        try:
            _write_new(temporary, secrets.token_bytes(16))
            with contextlib.suppress(FileExistsError):
                os.link(temporary, salt)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    def trouble(self, checks: Iterable[Check]) -> list[str]:
        """Why answers are not kept, if those of one of these checks should be."""
        return [self.problem] if self.problem and any(check.caching.ttl for check in checks) else []

    def keeps(self, check: Check) -> bool:
        """Whether answers of a check are kept."""
        return check.caching.ttl > 0 and self._folder is not None

    def look_up(self, check: Check) -> tuple[Answer | None, Ask]:
        """The answer to serve, and whether to ask anew."""
        answer, ask = decide(self._entry(check), check.caching, self.clock())
        if self._patient and ask is Ask.BEHIND:
            return None, Ask.NOW
        return answer, ask

    def claim(self, check: Check) -> int | None:
        """The right to ask, which nobody else has until `release`; None when another has it or has just asked."""
        lock = self._lock(check)
        if lock is not None and decide(self._entry(check), check.caching, self.clock())[1] is Ask.NOBODY:
            self.release(lock)
            return None
        return lock

    def release(self, lock: int) -> None:
        """Give the right to ask to others."""
        os.close(lock)

    def answer(self, check: Check, ask: Callable[[], Answer], deadline: Deadline) -> Answer:
        """What `ask` gives, or what another caller has been given meanwhile. Raises TimeoutError."""
        with self._asking(check, deadline):
            found, wanted = decide(self._entry(check), check.caching, self.clock())
            if found is not None and wanted is Ask.NOBODY:
                return found
            return self.keep(check, ask())

    def keep(self, check: Check, answer: Answer) -> Answer:
        """Keep an answer, and return the one to serve: for an outage an older one where that is allowed."""
        now = self.clock()
        # When an answer came is told by the store's clock, which its age is counted by.
        entry = self._entry(check).after(replace(answer, at=now))
        self._write(self._path(check, "answer"), entry.to_json())
        return stand_in(entry, check.caching, now) or replace(answer, served="miss", at=now)

    @contextlib.contextmanager
    def _asking(self, check: Check, deadline: Deadline) -> Iterator[None]:
        if self._read_only:
            yield
            return
        while (lock := self._lock(check)) is None:
            time.sleep(min(_PAUSE_S, deadline.left()))
        try:
            yield
        finally:
            self.release(lock)

    def _lock(self, check: Check) -> int | None:
        try:
            descriptor = os.open(self._path(check, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return os.open(os.devnull, os.O_RDONLY)  # no room for a lock: everybody asks for himself
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    def _entry(self, check: Check) -> Entry:
        try:
            return Entry.from_json(json.loads(self._path(check, "answer").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Entry()

    def notes(self, check: Check) -> CheckNotes:
        """What a check noted for its next look."""
        return CheckNotes(self, check)

    def read_note(self, check: Check) -> dict[str, Any]:
        """A check's last note, or an empty one."""
        if self._folder is None:
            return self._notes.get(self._key(check), {})
        try:
            found = json.loads(self._path(check, "note").read_bytes())
            return found if isinstance(found, dict) else {}
        except (OSError, ValueError, RecursionError):
            return {}

    def write_note(self, check: Check, note: Mapping[str, Any]) -> None:
        """Note something for a check's next look."""
        if self._folder is None:
            self._notes[self._key(check)] = dict(note)
        else:
            self._write(self._path(check, "note"), note)

    def _path(self, check: Check, kind: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._key(check)}.{kind}"

    def _key(self, check: Check) -> str:
        what = json.dumps([check.type, check.options], sort_keys=True, default=str)
        return hashlib.blake2b(what.encode(), key=self._salt, digest_size=16).hexdigest()

    def _write(self, path: Path, value: Any) -> None:
        """Replace a file as a whole. It is not made durable: what is lost is asked for again."""
        if self._read_only:
            return
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            _write_new(temporary, json.dumps(value).encode())
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()


class CheckNotes:
    """The notes of one check, in a store."""

    def __init__(self, store: Store, check: Check) -> None:
        self._store = store
        self._check = check

    def read(self) -> dict[str, Any]:
        """The last note, or an empty one."""
        return self._store.read_note(self._check)

    def write(self, note: Mapping[str, Any]) -> None:
        """Note something; that it cannot be written is no failure of the check."""
        self._store.write_note(self._check, note)


def default_folder() -> Path:
    """Where answers are kept when nothing else is said: the system's folder for root, the user's for others."""
    if os.geteuid() == 0:
        return Path("/var/cache/holdfast/probes")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "holdfast/probes"


def _is_ours(folder: Path) -> bool:
    """Whether nobody but root and this user can have put anything there, or have put a link in its place."""
    link, there = folder.lstat(), folder.stat()
    return {link.st_uid, there.st_uid} <= {0, os.geteuid()} and not there.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as handle:
        handle.write(data)
