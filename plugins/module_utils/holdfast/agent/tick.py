# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look of the agent: ask, write what was seen, tell what there is to tell."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import HoldfastError, InvalidInput
from ..files import PRIVATE_DIR, PRIVATE_FILE, make_dirs, write_atomic
from ..lines import plain
from ..probe.checks import FAIL, PASS, Result
from ..probe.run import Outcome, run_round
from ..probe.store import Store
from ..probe.write import write
from .alerts import UNKNOWN, Look, Notice, State, step
from .config import Config, understand
from .status import KEPT_CONFIG, kept_config, state_file
from .surroundings import NO_NETWORK, own_network, silence
from .tell import tell

Memory = dict[str, Any]


def load(config_file: Path, good: str) -> tuple[Config, str, str]:
    """The configuration to use, its text, and what is wrong with the file; then `good` is used in its place.

    Raises InvalidInput when there is no good one.
    """
    try:
        try:
            text = config_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"The configuration {config_file} cannot be read: {error}.") from None
        return understand(text), text, ""
    except InvalidInput as error:
        if not good:
            raise
        return understand(good), good, f"{error} The last good configuration is in use."


def tick(config: Config, wrong: str, memory: Memory, clock: Callable[[], float] = time.time) -> Memory:
    """One look; `memory` is what the look before returned, `wrong` what is wrong with the configuration's file.

    What people are told is printed too, so that it is in the log.

    Raises nothing for a full disk or a service that takes no message: what is returned has them as `problems`.
    """
    outcome, offline, problems = _ask(config, clock)
    problems += write(config.files, outcome, f"Health of {config.title}", config.interval)
    problems += [one for one in (memory.get("unwritten"), memory.get("crash")) if one]
    quiet = silence(config, outcome.at)
    looks = [*_looks(config, outcome.results), *_own_looks(wrong, problems, offline, config)]
    if quiet:
        looks = [Look(look.name, UNKNOWN, look.output) for look in looks]
    state, notices = step(_state(memory), looks, outcome.at, config.policy)
    for notice in notices:
        print(plain(f"{notice.title}. {notice.text}"), flush=True)
    pending, unsent = tell(config, [*_pending(memory), *notices])
    found: Memory = {
        "at": outcome.at,
        "interval": config.interval,
        "status": outcome.status,
        "results": [asdict(result) for result in outcome.results],
        "problems": [*([wrong] if wrong else []), *problems, *unsent],
        "silence": quiet,
        "alerts": state.to_json(),
        "pending": [asdict(notice) for notice in pending],
    }
    return {**found, "unwritten": _keep(config, found)}


def keep_config(config: Config, text: str) -> None:
    """Keep the text of a good configuration for an agent that starts with a broken one.

    That it cannot be written is no more than what is told of the agent's other files in the same folder.
    """
    with contextlib.suppress(OSError):
        if kept_config(config.state_dir) != text:
            write_atomic(config.state_dir / KEPT_CONFIG, text.encode(), PRIVATE_FILE)


def _ask(config: Config, clock: Callable[[], float]) -> tuple[Outcome, bool, list[str]]:
    """What was seen, whether this host has no network, and why answers cannot be kept."""
    begun = time.monotonic()
    store = Store(config.cache_dir, patient=True, clock=clock)
    results, offline = own_network(config, run_round(config.checks, store))
    outcome = Outcome(results, 1, round(time.monotonic() - begun, 3), clock())
    return outcome, offline, store.trouble(config.checks)


def _looks(config: Config, results: list[Result]) -> list[Look]:
    return [
        Look(
            result.name,
            UNKNOWN if result.verdict == NO_NETWORK else result.status,
            result.output,
            result.cache != "hit",
            check.alert_after,
            check.clear_after,
        )
        for check, result in zip(config.checks, results)
    ]


def _own_looks(wrong: str, problems: list[str], offline: bool, config: Config) -> list[Look]:
    """What the agent has to say of itself and of its host."""
    network = "None of the servers that tell answered; what lies beyond this host's network is not known."
    return [
        Look("The agent's configuration", FAIL if wrong else PASS, wrong or "right", alert_after=1, clear_after=1),
        Look("The agent", FAIL if problems else PASS, " ".join(problems) or "writes what it sees"),
        *(
            [Look("The network", FAIL if offline else PASS, network if offline else "works")]
            if config.self_check
            else []
        ),
    ]


def _state(memory: Mapping[str, Any]) -> State:
    try:
        return State.from_json(memory.get("alerts", {}))
    except (TypeError, AttributeError):
        return State()


def _pending(memory: Mapping[str, Any]) -> list[Notice]:
    try:
        return [Notice(**one) for one in memory.get("pending", [])]
    except TypeError:
        return []


def _keep(config: Config, memory: Memory) -> str:
    """Write what the next agent has to know; returns why that is not possible."""
    path = state_file(config.state_dir)
    try:
        make_dirs(config.state_dir, PRIVATE_DIR)
        write_atomic(path, json.dumps(memory).encode(), PRIVATE_FILE)
    except (OSError, HoldfastError) as error:
        return f"Cannot write {path}: {getattr(error, 'strerror', None) or error}."
    return ""
