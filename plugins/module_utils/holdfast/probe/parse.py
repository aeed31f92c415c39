# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks from what an operator wrote: everything is known to be right before anything is asked."""

from __future__ import annotations

import base64
import difflib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from ..errors import InvalidInput
from ..lines import plain
from . import options
from .checks import DEFAULT_TIMEOUT_S, Caching, Check, Measure, Option, mask
from .types import TYPES

COMMON = {
    "name": Option(options.text),
    "type": Option(options.text, required=True),
    "timeout": Option(options.seconds, DEFAULT_TIMEOUT_S),
    "critical": Option(options.boolean, True),
    "warn": Option(options.mapping, {}),
    "fail": Option(options.mapping, {}),
    "ttl": Option(options.duration),
    "failure_ttl": Option(options.duration, 30.0),
    "stale_while_revalidate": Option(options.duration),
    "stale_if_error": Option(options.duration, 3600.0),
    "alert_after": Option(options.count),
    "clear_after": Option(options.count),
}

_OF_CHECK = ("type", "timeout", "critical", "alert_after", "clear_after")
_SECRET_OPTIONS = {name for kind in TYPES.values() for name, option in kind.options.items() if option.secret}
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|auth|cookie|credential|signature|session", re.IGNORECASE)
_OPEN_HEADER = re.compile(
    r"(accept|cache-control|connection|content|date|expect|forwarded|host|if-|origin|pragma|range|referer|te$|upgrade"
    r"|user-agent|via|x-forwarded|x-requested-with)",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 4
_MISSPELT = 0.85  # how alike a name is to a secret option's: login_pasword is, login_user is not


def parse(entries: Sequence[Any]) -> list[Check]:
    """The checks that a list of mappings describes. Raises InvalidInput that says which one is wrong, and how."""
    if not entries:
        raise InvalidInput("The list of checks is empty.")
    # Of all: what one check is shown, such as a debugging page, may have another's. A short one is in any text.
    secrets = frozenset(one for one in secrets_of(entries) if len(one) >= _SHORTEST_SECRET)
    checks = [_parse_one(number, entry, secrets) for number, entry in enumerate(entries, 1)]
    names = [check.name for check in checks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidInput(f"Two checks are called {twice!r}. Give each a name of its own.")
    return checks


def _parse_one(number: int, entry: Any, secrets: frozenset[str]) -> Check:
    if not isinstance(entry, Mapping):
        raise InvalidInput(f"Check {number} is not a mapping of options.")
    where = f"Check {number}" + (f" ({entry['name']})" if entry.get("name") else "")
    kind = entry.get("type")
    if kind is None:
        raise InvalidInput(f"{where} has no type. Known are: {_listed(TYPES)}.")
    if not isinstance(kind, str) or kind not in TYPES:
        raise InvalidInput(f"{where}: unknown type {kind!r}{nearest(kind, TYPES)} Known are: {_listed(TYPES)}.")
    known = {**COMMON, **TYPES[kind].options}
    for name in entry:
        if name not in known:
            hint = nearest(name, known)
            raise InvalidInput(f"{where}: the type {kind} has no option {name!r}{hint} It has: {_listed(known)}.")
    values = {name: _value(where, kind, name, option, entry.get(name)) for name, option in known.items()}
    try:
        TYPES[kind].fit(values)
    except ValueError as error:
        raise InvalidInput(f"{where}: {error}.") from None
    own = secrets_of([entry])
    name = mask(values.pop("name") or f"{kind} {TYPES[kind].target(values)}", own)
    common = {option: values.pop(option) for option in _OF_CHECK}
    measures = TYPES[kind].all_measures
    return Check(
        name=name,
        caching=_caching(values, TYPES[kind].ttl),
        warn=_limits(where, kind, "warn", measures, values.pop("warn")),
        fail=_limits(where, kind, "fail", measures, values.pop("fail")),
        options=values,
        secrets=secrets | own,
        **common,
    )


def _limits(
    where: str, kind: str, side: str, measures: Mapping[str, Measure], given: Mapping[str, Any]
) -> dict[str, float]:
    """The limits of one side: the type's own, and those given in their place; one of None is taken away."""
    for name in given:
        if name not in measures:
            hint = nearest(name, measures)
            raise InvalidInput(f"{where}: the type {kind} measures no {name!r}{hint} It measures: {_listed(measures)}.")
    try:
        wanted = {name: None if value is None else options.number(value) for name, value in given.items()}
    except ValueError as error:
        raise InvalidInput(f"{where}: each limit in {side!r} {error}.") from None
    limits = {**{name: getattr(measure, side) for name, measure in measures.items()}, **wanted}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _caching(values: dict[str, Any], ttl_of_type: float) -> Caching:
    found = {name: values.pop(name) for name in ("ttl", "failure_ttl", "stale_while_revalidate", "stale_if_error")}
    ttl = ttl_of_type if found["ttl"] is None else found["ttl"]
    window = found["stale_while_revalidate"]
    return Caching(ttl, min(found["failure_ttl"], ttl), ttl if window is None else window, found["stale_if_error"])


def _value(where: str, kind: str, name: str, option: Option, value: Any) -> Any:
    if value is None:
        if option.required:
            raise InvalidInput(f"{where}: the type {kind} needs the option {name!r}.")
        return option.default
    if option.required and value == "":
        raise InvalidInput(f"{where}: the option {name!r} must not be empty.")
    try:
        return option.convert(value)
    except ValueError as error:
        raise InvalidInput(f"{where}: the option {name!r} {error}.") from None


def nearest(word: Any, known: Iterable[str]) -> str:
    """A hint at the known word that is most like a wrong one, and the full stop of the sentence before it."""
    plain, names = str(word).lower(), sorted(known, key=len)
    found = (
        [name for name in names if plain and (name.endswith(f"_{plain}") or name.startswith(f"{plain}_"))]
        or difflib.get_close_matches(plain, names, n=1)
        or [name for name in names if len(plain) > 1 and name.startswith(plain)]
    )
    return f"; did you mean {found[0]!r}?" if found else "."


def _listed(known: Iterable[str]) -> str:
    return ", ".join(sorted(known))


def secrets_of(entries: Iterable[Any]) -> frozenset[str]:
    """The texts in such a list that must never be shown, whether or not the list is right.

    They are the secret options, misspelt ones too, the headers that are not known to be harmless, and passwords
    and tokens in a URL. The value of a header that is shorter than 4 characters, and whose name does not speak of
    a secret, is taken for a setting: to hide each "1" would make every result unreadable.
    """
    found: set[str] = set()
    for entry in entries:
        if isinstance(entry, Mapping):
            for name, value in entry.items():
                found.update(_secrets_in(str(name), value))
            if entry.get("login_password") is not None:
                # The form in which HTTP sends it (RFC 7617, 2): a server's debugging page may show it.
                pair = f"{entry.get('login_user')}:{entry['login_password']}"
                found.add(base64.b64encode(pair.encode(errors="replace")).decode())
    return frozenset(form for one in found for form in _forms(one) if form)


def _forms(secret: str) -> set[str]:
    """A secret as it is, and as a server or an error message may repeat it."""
    inside = json.dumps(secret)[1:-1]
    escaped = html.escape(secret)
    return {
        secret,
        " ".join(plain(secret).split()),  # in an excerpt
        repr(secret)[1:-1],
        inside,
        inside.replace("/", r"\/"),  # as PHP writes JSON
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escaped,
        escaped.replace("&#x27;", "&#039;"),  # as PHP writes HTML
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        base64.b64encode(secret.encode(errors="replace")).decode(),
    }


def _secrets_in(name: str, value: Any) -> set[str]:
    if name == "headers" and isinstance(value, Mapping):
        return {one for header, content in value.items() for one in _secrets_of_header(str(header), content)}
    if name == "url":
        return _secrets_of_url(str(value))
    if _SECRET_NAME.search(name) or difflib.get_close_matches(name, _SECRET_OPTIONS, n=1, cutoff=_MISSPELT):
        return _texts(value)
    return set()


def _secrets_of_header(name: str, value: Any) -> set[str]:
    if _OPEN_HEADER.match(name):
        return set()
    content = str(value)
    if not _SECRET_NAME.search(name):
        return {content} if len(content) >= _SHORTEST_SECRET else set()
    # A server may repeat a part only: "Bearer TOKEN", "a=VALUE; b=VALUE".
    return {content, *(one for one in re.split(r"[\s;,=]+", content) if len(one) > 2 * _SHORTEST_SECRET)}


def _secrets_of_url(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
        return {
            parts.password or "",
            *(value for name, value in parse_qsl(parts.query) if _SECRET_NAME.search(name)),
        }
    except ValueError:
        return set()


def _texts(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return {one for inner in value.values() for one in _texts(inner)}
    if isinstance(value, (list, tuple)):
        return {one for inner in value for one in _texts(inner)}
    return set() if value is None or isinstance(value, bool) else {str(value)}
