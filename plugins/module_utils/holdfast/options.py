# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules share, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .engines import ENGINES, Engine, Login, open_engine

LOGIN_OPTIONS: dict[str, dict[str, Any]] = {
    "engine": {"type": "str", "required": True, "choices": sorted(ENGINES)},
    "database": {"type": "str", "required": True},
    "login_host": {"type": "str", "default": "localhost"},
    "login_port": {"type": "int"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "str"},
}


def engine_from(params: Mapping[str, Any]) -> Engine:
    """The engine that LOGIN_OPTIONS describe. Raises InvalidInput."""
    login = Login(**{name: params[name] for name in LOGIN_OPTIONS if name != "engine"})
    return open_engine(params["engine"], login)
