"""Asking one health check."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Answer, Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import ask as ask_once
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store


def ask(**check: Any) -> Result:
    """What comes of a check."""
    return run_round(parse([check]))[0]


def answer(**check: Any) -> Answer:
    """What a check's type answers by itself, before limits, however long it takes."""
    return ask_once(parse([check])[0], Store())
