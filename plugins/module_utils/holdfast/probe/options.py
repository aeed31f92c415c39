# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an option's value may be. Each function returns the value to use, or raises ValueError with the rule.

Numbers and truth values are taken from texts too: a template may have been rendered as one.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

LONGEST_S = 365 * 86400

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def text(value: Any) -> str:
    """A text, or a number as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be a text")
    return str(value)


def token(value: Any) -> str:
    """A key or token as a header takes it; a line break at its end would break out of that, and be shown."""
    found = text(value)
    if not re.fullmatch(r"[!-~]+", found):
        raise ValueError("must be a key, without spaces, line breaks or letters that are not ASCII")
    return found


def texts(value: Any) -> list[str]:
    """One text or more."""
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError("must have at least one text")
    return [text(one) for one in values]


def scalar(value: Any) -> Any:
    """Anything but a list or a mapping."""
    if isinstance(value, (list, dict)):
        raise ValueError("must be a single value")
    return value


def boolean(value: Any) -> bool:
    """True or false."""
    word = str(value).lower()
    if isinstance(value, (list, dict)) or word not in _TRUE | _FALSE:
        raise ValueError("must be true or false")
    return word in _TRUE


def integer(value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        raise ValueError("must be a whole number")
    return int(value)


def count(value: Any) -> int:
    """A whole number of at least 1."""
    number = integer(value)
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def port(value: Any) -> int:
    """A TCP port."""
    number = integer(value)
    if not 0 < number < 65536:
        raise ValueError("must be between 1 and 65535")
    return number


def seconds(value: Any) -> float:
    """A time limit: more than 0 and up to a year, as sockets do not take any number."""
    try:
        number = float(text(value))
    except ValueError:
        raise ValueError("must be a number of seconds") from None
    if not 0 < number <= LONGEST_S:
        raise ValueError(f"must be more than 0 seconds, and at most {LONGEST_S}")
    return number


def duration(value: Any) -> float:
    """A number of seconds, 0 included."""
    found = number(value)
    if found < 0:
        raise ValueError("must be at least 0 seconds")
    return found


def number(value: Any) -> float:
    """A finite number."""
    try:
        found = float(text(value))
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(found):
        raise ValueError("must be a finite number")
    return found


def integers(value: Any) -> list[int]:
    """One whole number or more."""
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError("must have at least one number")
    try:
        return [integer(one) for one in values]
    except ValueError:
        raise ValueError("must be a list of whole numbers") from None


def mapping(value: Any) -> dict[str, Any]:
    """A mapping whose keys are texts."""
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping")
    return {str(key): one for key, one in value.items()}


def headers(value: Any) -> dict[str, str]:
    """A mapping of texts that cannot break out of their line (RFC 9110, 5.5)."""
    found = {name: text(one) for name, one in mapping(value).items()}
    for name, one in found.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"must have names of HTTP headers; {name!r} is not one")
        if re.search(r"[\r\n\0]", one):
            raise ValueError(f"must not have a line break in {name}")
    return found


def words(value: Any) -> list[str]:
    """A command as a list, or as a text that is split as a shell would but not run by one."""
    try:
        found = shlex.split(value) if isinstance(value, str) else [text(one) for one in value]
    except (ValueError, TypeError) as error:
        raise ValueError(f"must be a list of words, or a text that splits into them ({error})") from None
    if not found:
        raise ValueError("must not be empty")
    return found


def regex(value: Any) -> str:
    """A regular expression of Python's."""
    try:
        re.compile(text(value))
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from None
    return str(value)


def url(value: Any) -> str:
    """An HTTP URL without a password in it, where it would be shown."""
    found = text(value)
    try:
        parts = urlsplit(found)
        parts.port  # noqa: B018 - it is parsed on access
    except ValueError as error:
        raise ValueError(f"must be a URL ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that begins with http:// or https:// and a host")
    if parts.username is not None:
        raise ValueError("must not carry a user; give login_user and login_password instead")
    return found


def choice(*known: str) -> Callable[[Any], str]:
    """One of the known words."""

    def convert(value: Any) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return str(value)

    return convert
