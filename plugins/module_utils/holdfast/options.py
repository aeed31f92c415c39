# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules share, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from .backup.retention import Duration, Policy
from .engines import ENGINES, Engine, Login, open_engine
from .errors import InvalidInput
from .names import check_name
from .offsite.b2 import B2Store, Target
from .offsite.copies import Copies
from .units import parse_size

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
KEY_OPTIONS: dict[str, dict[str, Any]] = {"age_identity": {"type": "str", "no_log": True}}
RETENTION_OPTIONS: dict[str, dict[str, Any]] = {
    one.name: {"type": "str"} if one.name.startswith("keep_within") else {"type": "int", "default": 0}
    for one in fields(Policy)
}
OFFSITE_OPTIONS: dict[str, dict[str, Any]] = {
    "b2_bucket": {"type": "str"},
    "b2_key_id": {"type": "str"},
    "b2_application_key": {"type": "str", "no_log": True},
    "b2_realm": {"type": "str", "default": "production"},
    "b2_prefix": {"type": "str", "default": ""},
}
UPLOAD_OPTIONS: dict[str, dict[str, Any]] = {
    "encryption": {"type": "bool", "default": True},
    "retention_days": {"type": "int"},
    "retention_mode": {"type": "str", "default": "governance", "choices": ["governance", "compliance"]},
    "legal_hold": {"type": "bool", "default": False},
    "bandwidth": {"type": "str"},
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


def copies_from(params: Mapping[str, Any], wanted: Iterable[str]) -> Copies:
    """The copies that OFFSITE_OPTIONS, UPLOAD_OPTIONS (where there are any) and `app` describe.

    `wanted` names the capabilities that the key must have. Raises InvalidInput, MissingLibrary and OffsiteError.
    """
    given: dict[str, Any] = {name: params[name] for name in UPLOAD_OPTIONS if params.get(name) is not None}
    if "bandwidth" in given:
        given["bandwidth"] = parse_size("bandwidth", given["bandwidth"])
    target = Target(params["b2_bucket"], params["b2_key_id"], params["b2_application_key"], params["b2_realm"], **given)
    app = check_name("app", params["app"])
    return Copies(B2Store(target, wanted), params["b2_prefix"], app)
