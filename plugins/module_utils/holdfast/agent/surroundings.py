# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the trouble is this host's own: no network, or a deploy on its way."""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from .. import journal
from ..errors import HoldfastError
from ..probe.checks import PASS, WARN, Check, Result
from ..probe.deadline import Deadline, connect
from ..probe.types import TYPES
from .config import Config, Target

NO_NETWORK = "no network"
_LIMIT_S = 3.0
_HOST_OPTIONS = ("url", "host", "login_host", "domain")


def is_external(check: Check) -> bool:
    """Whether a check needs more than this host and its private network.

    A name without a dot is taken for one of them. What looks at no host but keeps its answers by default asks an
    API on the internet.
    """
    found = [str(check.options[one]) for one in _HOST_OPTIONS if check.options.get(one)]
    if not found:
        return TYPES[check.type].ttl > 0
    host = urlsplit(found[0]).hostname or found[0]
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_global
    return "." in host


def answers(targets: Sequence[Target]) -> bool:
    """Whether one of the servers accepts a connection within 3 seconds."""
    deadline = Deadline(_LIMIT_S)
    said: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(target: Target) -> None:
        try:
            connect(target.host, target.port, deadline).close()
            said.put(True)
        except OSError:
            said.put(False)

    for target in targets:
        threading.Thread(target=ask, args=(target,), daemon=True).start()
    try:
        return any(said.get(timeout=deadline.left()) for _ in targets)
    except (queue.Empty, TimeoutError):  # the resolver keeps to no time limit
        return False


def own_network(config: Config, results: Sequence[Result]) -> tuple[list[Result], bool]:
    """The results, and whether this host's own network is down: then nothing is known of what lies beyond it.

    The servers that tell are asked only when something external is not well.
    """
    external = config.external
    if external is None:
        external = frozenset(check.name for check in config.checks if is_external(check))
    bad = {result.name for result in results if result.status != PASS and result.name in external}
    if not bad or not config.self_check or answers(config.self_check):
        return list(results), False
    return [_not_known(result) if result.name in bad else result for result in results], True


def _not_known(result: Result) -> Result:
    output = f"not known, as this host has no network ({result.output})"
    return replace(result, status=WARN, verdict=NO_NETWORK, output=output)


def silence(config: Config, now: float) -> str:
    """Why people are not to be told of anything at `now`, in words; empty when there is no reason.

    Silence ends after its limit, so that a deploy that was forgotten does not hide what it broke.
    """
    marker = config.state_dir / "silence"
    with contextlib.suppress(OSError):
        if 0 <= now - marker.stat().st_mtime < config.silence_limit:
            return f"{marker} is there"
    for path in config.deploy_paths:
        opened = _deploying_since(path)
        if opened is not None and abs(now - opened) < config.silence_limit:
            return f"a deploy in {path} is on its way"
    return ""


def _deploying_since(path: Path) -> float | None:
    """When the open journal of an application was opened; None when there is none that can be read."""
    with contextlib.suppress(HoldfastError, KeyError, ValueError, TypeError):
        found = journal.read(path)
        return datetime.fromisoformat(found["opened_at"]).timestamp() if found else None
    return None
