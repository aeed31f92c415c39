"""Asking one health check."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round


def ask(**check: Any) -> Result:
    """What comes of a check."""
    return run_round(parse([check]))[0]
