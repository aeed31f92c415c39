"""Asking one health check."""

from __future__ import annotations

from typing import Any

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Answer, Check, Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import ask as ask_once
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store


def parsed(**check: Any) -> Check:
    """A check with every option filled in."""
    (one,) = parse([check])
    return one


def ask(**check: Any) -> Result:
    """What comes of a check."""
    return run_round([parsed(**check)])[0]


def answer(**check: Any) -> Answer:
    """What a check's type answers by itself, before limits, however long it takes."""
    return ask_once(parsed(**check), Store())
