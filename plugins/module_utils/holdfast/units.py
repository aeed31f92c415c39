# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and spans of time as people write them."""

from __future__ import annotations

import re

from .errors import InvalidInput

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_NAMES = (("GB", 1000**3), ("MB", 1000**2), ("kB", 1000))
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_size(what: str, text: str) -> int:
    """Bytes of a size like 500K, 10M or 1G, which are powers of 1024. Raises InvalidInput that names `what`."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text.strip().upper())
    if not found or not int(found[1]):
        raise InvalidInput(f"{what} {text!r} is not a size: write it like 500K, 10M or 1G.")
    return int(found[1]) * _SIZES[found[2]]


def parse_span(what: str, text: str) -> int:
    """Seconds of a span like 90s, 15m, 26h or 2d. Raises InvalidInput that names `what`."""
    found = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if not found or not int(found[1]):
        raise InvalidInput(f"{what} {text!r} is not a span of time: write it like 90s, 15m, 26h or 2d.")
    return int(found[1]) * _SECONDS[found[2]]


def span(seconds: float) -> str:
    """A span as a person says it: 0.4 s, 12 s, 3 min 20 s, 5 h 10 min, 2 d 3 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def size(count: int) -> str:
    """A size as a person says it: 812 bytes, 1.2 MB."""
    if count < 1000:
        return f"{count} bytes"
    name, scale = next((one for one in _NAMES if count >= one[1]), _NAMES[-1])
    return f"{count / scale:.1f} {name}"
