"""Several streams make one dump again; when one fails the others end, and what ran for them does too."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.streams import Streams, side_by_side


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_parts_stand_where_they_belong(at, size):
    main = [b"abcdef"[start : start + size] for start in range(0, 6, size)]
    joined = b"".join(Streams(main, [[b"1", b"2"], [b"3"]], at).joined())
    assert joined == b"abcdef"[:at] + b"123" + b"abcdef"[at:]


def test_without_parts_it_is_the_main_stream():
    assert list(Streams([b"ab", b"c"]).joined()) == [b"ab", b"c"]


def test_results_come_in_order_and_with_their_numbers():
    streams = [[b"a"], [b"b", b"b"], []]
    assert side_by_side(lambda number, stream: (number, b"".join(stream)), streams, jobs=2) == [
        (0, b"a"),
        (1, b"bb"),
        (2, b""),
    ]


def test_the_first_failure_is_told_and_ends_the_others():
    ended = []
    begun = threading.Barrier(3, timeout=30)

    def endless(name: str) -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            ended.append(name)

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise ValueError("the disk is full")

    def take(number: int, stream: Iterator[bytes]) -> None:
        for count, _ in enumerate(stream):
            assert number < 3, "a stream was begun after the failure"
            if count == 0:
                begun.wait()

    with pytest.raises(ValueError, match="the disk is full"):
        side_by_side(take, [endless("first"), broken(), endless("third"), endless("never begun")], jobs=3)
    assert sorted(ended) == ["first", "third"]


def test_what_consumes_a_stream_may_fail_as_well():
    ended = threading.Event()

    def stream() -> Iterator[bytes]:
        try:
            yield from [b"x"] * 10
        finally:
            ended.set()

    def refuse(number: int, pieces: Iterator[bytes]) -> None:
        next(pieces)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        side_by_side(refuse, [stream(), stream()])
    assert ended.is_set()
