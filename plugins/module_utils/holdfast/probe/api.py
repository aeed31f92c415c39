# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking an API that wants a key and answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .checks import Look, Unhealthy, excerpt, mask
from .web import TOO_MANY_REQUESTS, Reply, request, throttled

_REFUSED = (401, 403)
_NOT_FOUND = 404


@dataclass(frozen=True)
class Api:
    """Whom a check asks: `name` as an operator knows it, and hints to go with the refusals that one can do something
    about: a wrong key, and a wrong path."""

    name: str
    wrong_key: str
    not_found: str


def get_json(api: Api, look: Look, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The object that a GET of a path below the option `url` answers with; redirects are not followed.

    Raises Unhealthy for all else: an outage when nobody answers or the server is broken, a warning when it has been
    asked too often, and a plain failure when it refuses the key or says what cannot be understood.
    """
    reply = request("GET", look.options["url"].rstrip("/") + path, headers, look.deadline)
    if reply.status == TOO_MANY_REQUESTS:
        raise throttled(reply, look.now)
    # A server's debugging page may repeat the key, of which an excerpt could show the half.
    body = mask(reply.text, [look.options["api_key"]])
    said = excerpt(body, reply.reason or "no body")
    if reply.status in _REFUSED:
        raise Unhealthy(f"{api.name} refused the key: {api.wrong_key} ({reply.status}: {said})", verdict="unauthorized")
    if reply.status == _NOT_FOUND:
        raise Unhealthy(f"{api.name} {api.not_found} ({reply.status}: {said})")
    if reply.status != 200:
        seen = _seen(reply, said)
        raise Unhealthy(f"expected status 200 of {api.name}, got {seen}", outage=reply.status >= 500)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Unhealthy(f"expected JSON of {api.name}, got {said}") from None
    if not isinstance(found, dict):
        raise Unhealthy(f"expected an object of {api.name}, got {said}")
    return found


def whole_number(value: Any) -> int | None:
    """A value of JSON if it is a whole number that every reader can take (RFC 8259, 6), or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53 else None


def _seen(reply: Reply, said: str) -> str:
    return f"{reply.status} (to {reply.location})" if reply.location else f"{reply.status} ({said})"
