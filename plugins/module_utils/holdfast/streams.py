# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps that are several streams, and work on several streams side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar, Union

Bytes = Union[bytes, memoryview]
Result = TypeVar("Result")
# Connections that may be at work on one dump or load, unless somebody says otherwise.
JOBS = min(4, os.cpu_count() or 1)
LARGE = 16 << 20  # bytes of a table; what has fewer is not worth a stream of its own
MOST_JOBS = 16


@dataclass(frozen=True)
class Streams:
    """A dump as it is kept: one stream, and others of rows that belong into it, `at` bytes from its beginning."""

    main: Iterable[bytes]
    parts: Sequence[Iterable[bytes]] = ()
    at: int = 0

    def joined(self) -> Iterator[bytes]:
        """All of it as one stream."""
        ahead, before = self.at, bool(self.parts)
        for piece in self.main:
            rest = piece
            if before and len(piece) >= ahead:
                yield piece[:ahead]
                for part in self.parts:
                    yield from part
                rest, before = piece[ahead:], False
            ahead -= len(piece)
            yield rest


class BrokenOff(Exception):
    """Another stream failed."""


def fair_shares(sizes: Iterable[tuple[str, int]], loads: Sequence[int]) -> list[list[str]]:
    """Names with their sizes, largest first, divided among as many as have `loads` already: each to who has least."""
    shares: list[list[str]] = [[] for _ in loads]
    total = list(loads)
    for name, size in sorted(sizes, key=lambda one: -one[1]):
        least = total.index(min(total))
        shares[least].append(name)
        total[least] += size
    return shares


def side_by_side(
    take: Callable[[int, Iterator[Bytes]], Result], streams: Sequence[Iterable[Bytes]], jobs: int = JOBS
) -> list[Result]:
    """What `take` makes of each stream and its number, of up to `jobs` at the same time.

    When one fails the others are broken off, and its error is raised.
    """
    failed = threading.Event()

    def one(number: int) -> Result:
        try:
            with closing(until(failed, streams[number])) as stream:
                return take(number, stream)
        except BaseException:
            failed.set()
            raise

    if len(streams) == 1:
        return [one(0)]
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(one, number) for number in range(len(streams))]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            failed.set()
            raise
    errors = [error for error in (future.exception() for future in futures) if error]
    for error in sorted(errors, key=lambda error: isinstance(error, BrokenOff)):
        raise error
    return [future.result() for future in futures]


def until(failed: threading.Event, stream: Iterable[Bytes]) -> Generator[Bytes, None, None]:
    """The stream until a failure, at which it raises BrokenOff; what runs for it is stopped then, not later."""
    if failed.is_set():
        raise BrokenOff
    pieces = iter(stream)
    try:
        for piece in pieces:
            if failed.is_set():
                raise BrokenOff
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()
