# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in the forms that other programs read."""

from __future__ import annotations

from typing import Any

from .checks import PASS, Result
from .run import Outcome
from .types import TYPES


def as_health_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome in the form of draft-inadarei-api-health-check-06 (application/health+json)."""
    return {
        "status": outcome.status,
        "checks": {result.name: [_component(result)] for result in outcome.results},
    }


def _component(result: Result) -> dict[str, Any]:
    component = {
        "componentType": TYPES[result.type].component,
        "observedValue": result.latency_ms,
        "observedUnit": "ms",
        "status": result.status,
        "time": result.time,
    }
    # The draft, 4.9: there should be no output of what passed.
    return component if result.status == PASS else {**component, "output": result.output}


def as_prometheus(outcome: Outcome) -> str:
    """The outcome in Prometheus' text exposition format 0.0.4."""
    up = ["# HELP holdfast_probe_up Whether the check is green.", "# TYPE holdfast_probe_up gauge"]
    took = [
        "# HELP holdfast_probe_duration_seconds How long the check took.",
        "# TYPE holdfast_probe_duration_seconds gauge",
    ]
    for result in outcome.results:
        labels = f'check="{_label(result.name)}",type="{_label(result.type)}"'
        up.append(f"holdfast_probe_up{{{labels}}} {int(result.status == PASS)}")
        took.append(f"holdfast_probe_duration_seconds{{{labels}}} {result.latency_ms / 1000:g}")
    return "\n".join([*up, *took, ""])


def _label(value: str) -> str:
    """A label's value (Prometheus, "Text format details": backslash, quote and line feed are escaped)."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
