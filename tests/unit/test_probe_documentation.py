"""What a check can be told, and what it measures, is in the module's documentation."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import COMMON
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.types import TYPES
from ansible_collections.holdfast.deploy.plugins.modules import health_probe

LINES: list[str] = yaml.safe_load(health_probe.DOCUMENTATION)["options"]["checks"]["description"]


def section(kind: str) -> str:
    """What is said of one type: from the line that begins with it to that of the next."""
    begins = re.compile(r"(Options of )?V\((\w+)\)")
    found = ""
    current = ""
    for line in LINES:
        begun = begins.match(line)
        current = begun[2] if begun and begun[2] in TYPES else current
        found += line + "\n" if current == kind else ""
    return found


def test_every_type_is_in_the_list_of_types():
    line = next(line for line in LINES if line.startswith("C(type), one of"))
    assert re.findall(r"V\((\w+)\)", line) == list(TYPES)


@pytest.mark.parametrize("kind", TYPES)
def test_every_option_and_measure_of_a_type_is_named_where_it_is_described(kind):
    named = set(re.findall(r"C\((\w+)\)", section(kind)))
    assert {*TYPES[kind].options, *TYPES[kind].measures} <= named


def test_every_common_option_is_named():
    assert set(COMMON) <= set(re.findall(r"C\((\w+)\)", "\n".join(LINES)))
