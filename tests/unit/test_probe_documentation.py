"""What a check can be told, and what it measures, is in the module's documentation."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import COMMON
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.types import TYPES
from ansible_collections.holdfast.deploy.plugins.modules import health_probe

LINES: list[str] = yaml.safe_load(health_probe.DOCUMENTATION)["options"]["checks"]["description"]


def described() -> dict[str, str]:
    """What is said of each type: from the line that begins with it, alone or among others, to that of the next."""
    texts = dict.fromkeys(TYPES, "")
    current: list[str] = []
    for line in LINES:
        begun = re.match(r"(Options of )?(V\(\w+\)(, | and )?)+", line)
        kinds = [one for one in re.findall(r"V\((\w+)\)", begun[0]) if one in TYPES] if begun else []
        current = kinds or current
        for kind in current:
            texts[kind] += (line[begun.end() :] if begun and kinds else line) + "\n"
    return texts


def named_for(kind: str) -> set[str]:
    """The options and measures named there, with those "of V(another type)" where it speaks of them."""
    texts = described()
    others = [one for one in re.findall(r" of V\((\w+)\)", texts[kind]) if one in TYPES]
    return set(re.findall(r"C\((\w+)\)", "".join(texts[one] for one in (kind, *others))))


def test_every_type_is_in_the_list_of_types():
    line = next(line for line in LINES if line.startswith("C(type), one of"))
    assert re.findall(r"V\((\w+)\)", line) == list(TYPES)


@pytest.mark.parametrize("kind", TYPES)
def test_every_option_and_measure_of_a_type_is_named_where_it_is_described(kind):
    assert {*TYPES[kind].options, *TYPES[kind].measures} <= named_for(kind)


def test_every_common_option_is_named():
    assert set(COMMON) <= set(re.findall(r"C\((\w+)\)", "\n".join(LINES)))
