# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules share, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .backup.retention import Duration, Policy
from .engines import ENGINES, Engine, Login, open_engine
from .errors import InvalidInput

LOGIN_OPTIONS: dict[str, dict[str, Any]] = {
    "engine": {"type": "str", "required": True, "choices": sorted(ENGINES)},
    "database": {"type": "str", "required": True},
    "login_host": {"type": "str", "default": "localhost"},
    "login_port": {"type": "int"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "str"},
}


# A rehearsal may take place on another server, or by a user with more rights.
REHEARSE_OPTIONS: dict[str, dict[str, Any]] = {
    f"rehearse_{name}": {key: value for key, value in spec.items() if key != "default"}
    for name, spec in LOGIN_OPTIONS.items()
    if name.startswith("login_")
}
RETENTION_OPTIONS: dict[str, dict[str, Any]] = {
    one.name: {"type": "str"} if one.name.startswith("keep_within") else {"type": "int", "default": 0}
    for one in fields(Policy)
}


def engine_from(params: Mapping[str, Any]) -> Engine:
    """The engine that LOGIN_OPTIONS describe. Raises InvalidInput."""
    login = Login(**{name: params[name] for name in LOGIN_OPTIONS if name != "engine"})
    return open_engine(params["engine"], login)


def rehearse_engine_from(params: Mapping[str, Any]) -> Engine | None:
    """The engine that REHEARSE_OPTIONS describe, None when none of them is given. Raises InvalidInput."""
    given = {name.removeprefix("rehearse_"): params[name] for name in REHEARSE_OPTIONS if params[name] is not None}
    return open_engine(params["engine"], Login(params["database"], **given)) if given else None


def policy_from(params: Mapping[str, Any]) -> Policy:
    """The policy that RETENTION_OPTIONS describe. Raises InvalidInput, also for one that keeps nothing."""
    values: dict[str, Any] = {name: params[name] for name in RETENTION_OPTIONS if params[name]}
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = Duration.parse(value)
        elif value < -1:
            raise InvalidInput(f"{name} must be a number of sets, or -1 for all.")
    policy = Policy(**values)
    if policy == Policy():
        raise InvalidInput(f"Nothing would be kept: set at least one of {', '.join(RETENTION_OPTIONS)}.")
    return policy
