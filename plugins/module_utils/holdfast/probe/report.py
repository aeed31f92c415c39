# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in the forms that other programs read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from .checks import PASS, RANK, Result
from .run import Outcome
from .types import TYPES

_METRICS = {
    "holdfast_probe_up": "Whether the check is green.",
    "holdfast_probe_status": "0 when the check passes, 1 when it warns, 2 when it fails.",
    "holdfast_probe_duration_seconds": "How long the check took.",
    "holdfast_probe_age_seconds": "How long ago the answer was got; 0 for one that is not kept.",
    "holdfast_probe_value": "What the check measured.",
}
_MEASUREMENTS = {"latency_ms": "responseTime"}  # the draft, 4: names it has for measurements of its own


def as_health_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome in the form of draft-inadarei-api-health-check-06 (application/health+json)."""
    checks: dict[str, list[dict[str, Any]]] = {}
    for result in outcome.results:
        name = result.name.replace(":", " ")  # the draft, 4: a colon separates the name from the measurement
        checks.setdefault(name, []).append(_component(result))
        for measure, value in result.values.items():
            key = f"{name}:{_MEASUREMENTS.get(measure, measure)}"
            checks.setdefault(key, []).append(_measured(result, measure, value))
    return {"status": outcome.status, "checks": checks}


def _component(result: Result) -> dict[str, Any]:
    component = {
        "componentId": result.name,
        "componentType": TYPES[result.type].component,
        "status": result.status,
        "time": result.time,
    }
    # The draft, 4.9: there should be no output of what passed.
    return component if result.status == PASS else {**component, "output": result.output}


def _measured(result: Result, measure: str, value: float) -> dict[str, Any]:
    found = {
        "componentId": result.name,
        "componentType": TYPES[result.type].component,
        "observedValue": value,
        "time": result.time,
    }
    unit = unit_of(result.type, measure)
    return {**found, "observedUnit": unit} if unit else found


def unit_of(kind: str, measure: str) -> str:
    """The unit of a measure of a type."""
    known = TYPES[kind].all_measures
    return known[measure].unit if measure in known else ""


def as_prometheus(outcome: Outcome) -> str:
    """The outcome in Prometheus' text exposition format 0.0.4."""
    results = outcome.results
    samples = {
        "holdfast_probe_up": [_sample(one, int(one.status == PASS)) for one in results],
        "holdfast_probe_status": [_sample(one, RANK[one.status]) for one in results],
        "holdfast_probe_duration_seconds": [_sample(one, one.latency_ms / 1000) for one in results],
        "holdfast_probe_age_seconds": [_sample(one, one.age) for one in results],
        "holdfast_probe_value": [
            _sample(one, value, measure=measure, unit=unit_of(one.type, measure))
            for one in results
            for measure, value in one.values.items()
        ],
    }
    lines = [line for name, help_text in _METRICS.items() for line in _metric(name, help_text, samples[name])]
    # A file that nobody writes any more looks as fresh as ever to who collects it: this number tells.
    last = f"holdfast_probe_last_run_timestamp_seconds {_number(outcome.at)}"
    name, help_text = "holdfast_probe_last_run_timestamp_seconds", "When the checks were last run."
    return "\n".join([*lines, f"# HELP {name} {help_text}", f"# TYPE {name} gauge", last, ""])


def _metric(name: str, help_text: str, samples: Iterable[str]) -> list[str]:
    return [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", *(name + sample for sample in samples)]


def _sample(result: Result, value: float, **labels: str) -> str:
    pairs = {"check": result.name, "type": result.type, **labels}
    inside = ",".join(f'{name}="{_label(text)}"' for name, text in pairs.items())
    return f"{{{inside}}} {_number(value)}"


def _number(value: float) -> str:
    """All digits of a number: six, as `g` gives, would round a time stamp by hours."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def _label(value: str) -> str:
    """A label's value (Prometheus, "Text format details": backslash, quote and line feed are escaped)."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def time_of(seconds: float) -> str:
    """A time of day in words of a person, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
