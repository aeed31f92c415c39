# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's configuration: a JSON file, known to be right before anything is asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidInput
from ..probe import options
from ..probe.checks import Check, Option
from ..probe.parse import nearest, parse
from ..probe.store import default_folder
from ..probe.write import Files
from . import DEFAULT_INTERVAL_S
from .alerts import Policy


@dataclass(frozen=True)
class Target:
    """A server that tells whether this host's own network works."""

    host: str
    port: int


@dataclass(frozen=True)
class Config:
    """What the agent does. Times in seconds.

    `deploy_paths` are applications during whose deploys the agent is silent, for `silence_limit` at most.
    `external` names the checks that need the network beyond this host's own; None to tell by where they look.
    """

    checks: Sequence[Check]
    title: str
    interval: float
    state_dir: Path
    cache_dir: Path
    files: Files
    urls: Sequence[str]
    policy: Policy
    silence_limit: float
    deploy_paths: Sequence[Path]
    self_check: Sequence[Target]
    external: frozenset[str] | None


def path(value: Any) -> Path:
    """An absolute path."""
    found = Path(options.text(value))
    if not found.is_absolute():
        raise ValueError("must be an absolute path")
    return found


def texts(value: Any) -> list[str]:
    """A list of texts."""
    return _list_of(value, options.text)


def targets(value: Any) -> list[Target]:
    """A list of servers as HOST:PORT."""
    return _list_of(value, _target)


def _target(value: Any) -> Target:
    host, colon, port = options.text(value).rpartition(":")
    if not colon or not host:
        raise ValueError("must be a list of HOST:PORT")
    return Target(host.strip("[]"), options.port(port))


def _list_of(value: Any, convert: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return [convert(one) for one in value]


_OPTIONS = {
    "checks": Option(lambda value: _list_of(value, options.mapping), required=True),
    "title": Option(options.text),
    "interval": Option(options.seconds, DEFAULT_INTERVAL_S),
    "state_dir": Option(path, required=True),
    "cache_dir": Option(path),
    "health_json": Option(path),
    "prometheus": Option(path),
    "page": Option(path),
    "urls": Option(texts, []),
    "alert_after": Option(options.count, Policy.alert_after),
    "clear_after": Option(options.count, Policy.clear_after),
    "remind_every": Option(options.seconds, Policy.remind_every),
    "flap_changes": Option(options.count, Policy.flap_changes),
    "flap_looks": Option(options.count, Policy.flap_looks),
    "silence_limit": Option(options.seconds, 3600.0),
    "deploy_paths": Option(lambda value: _list_of(value, path), []),
    "self_check": Option(targets, []),
    "external": Option(texts),
}


def read(text: str) -> dict[str, Any]:
    """The options of a configuration's text with their defaults; the checks are not looked at. Raises InvalidInput."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"The configuration is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidInput("The configuration is no JSON object.")
    for name in found:
        if name not in _OPTIONS:
            raise InvalidInput(f"The configuration has an unknown option {name!r}{nearest(name, _OPTIONS)}")
    return {name: _value(name, option, found.get(name)) for name, option in _OPTIONS.items()}


def _value(name: str, option: Option, value: Any) -> Any:
    if value is None:
        if option.required:
            raise InvalidInput(f"The configuration lacks the option {name!r}.")
        return option.default
    try:
        return option.convert(value)
    except ValueError as error:
        raise InvalidInput(f"The configuration's option {name!r} {error}.") from None


def understand(text: str) -> Config:
    """The configuration that a text holds. Raises InvalidInput that says what is wrong."""
    found = read(text)
    checks = parse(found["checks"])
    _insist_on_names(found["external"] or [], checks)
    if found["flap_changes"] >= found["flap_looks"]:
        raise InvalidInput("The configuration's option 'flap_changes' must be less than 'flap_looks'.")
    return Config(
        checks=checks,
        title=found["title"] or socket.gethostname(),
        interval=found["interval"],
        state_dir=found["state_dir"],
        cache_dir=found["cache_dir"] or default_folder(),
        files=Files(found["health_json"], found["prometheus"], found["page"]),
        urls=found["urls"],
        policy=_policy(found),
        silence_limit=found["silence_limit"],
        deploy_paths=found["deploy_paths"],
        self_check=found["self_check"],
        external=None if found["external"] is None else frozenset(found["external"]),
    )


def _policy(found: Mapping[str, Any]) -> Policy:
    names = ("alert_after", "clear_after", "remind_every", "flap_changes", "flap_looks")
    return Policy(**{name: found[name] for name in names})


def _insist_on_names(names: Sequence[str], checks: Sequence[Check]) -> None:
    known = {check.name for check in checks}
    for name in names:
        if name not in known:
            raise InvalidInput(f"The configuration's option 'external' names no check: {name!r}{nearest(name, known)}")
