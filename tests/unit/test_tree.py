# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree keeps the promises that make a clone, an AWX project and an installed collection the same thing."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "plugins" / "modules"
LIBRARY = ROOT / "library"
CORE = ROOT / "plugins" / "module_utils" / "holdfast"
COLLECTION = ROOT / "collections" / "ansible_collections" / "holdfast" / "deploy"


def module_files() -> list[Path]:
    return sorted(path for path in MODULES.glob("*.py") if path.name != "__init__.py")


def role_folders() -> list[Path]:
    return sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def specs(role: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    return content["argument_specs"]


def texts_of(module: Path) -> dict[str, str]:
    """The module's strings of documentation, by name."""
    found = {}
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    return found


def imported_names(path: Path) -> set[str]:
    """The absolute names that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


def by_name(path: Path) -> str:
    return path.name


def test_there_are_modules_and_roles() -> None:
    assert module_files()
    assert role_folders()


def test_library_names_the_modules_and_no_others() -> None:
    assert {path.name for path in LIBRARY.iterdir() if path.suffix == ".py"} == {path.name for path in module_files()}


@pytest.mark.parametrize("module", module_files(), ids=by_name)
def test_library_link_is_relative_and_leads_to_the_module(module: Path) -> None:
    link = LIBRARY / module.name
    assert os.readlink(link) == f"../plugins/modules/{module.name}"
    assert link.resolve() == module


@pytest.mark.parametrize("name", ["galaxy.yml", "meta", "playbooks", "plugins", "roles"])
def test_collection_link_leads_back_to_the_root(name: str) -> None:
    link = COLLECTION / name
    assert os.readlink(link) == f"../../../../{name}"
    assert link.resolve() == ROOT / name
    assert link.exists()


def test_every_package_of_the_core_has_an_init() -> None:
    # Without it a clone cannot load the package, though an installed collection can.
    folders = {path.parent for path in CORE.rglob("*.py")} | {CORE}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_core_does_not_know_ansible(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported_names(path)}
    assert roots.isdisjoint({"ansible", "ansible_collections", "yaml"})


@pytest.mark.parametrize("module", module_files(), ids=by_name)
def test_module_reaches_the_core_relatively(module: Path) -> None:
    # Absolute names resolve behind one of the doors only.
    bad = [name for name in imported_names(module) if "holdfast" in name]
    assert bad == []


@pytest.mark.parametrize("module", module_files(), ids=by_name)
def test_module_is_documented(module: Path) -> None:
    texts = texts_of(module)
    documentation = yaml.safe_load(texts["DOCUMENTATION"])
    assert documentation["module"] == module.stem
    assert documentation["short_description"]
    assert documentation["version_added"]
    for attribute in ("check_mode", "diff_mode", "platform"):
        assert documentation["attributes"][attribute]["support"] in {"full", "partial", "none", "N/A"}
        assert documentation["attributes"][attribute]["description"]
    assert yaml.safe_load(texts["RETURN"])


@pytest.mark.parametrize("module", module_files(), ids=by_name)
def test_module_examples_are_named_tasks_with_full_names(module: Path) -> None:
    tasks = yaml.safe_load(texts_of(module)["EXAMPLES"])
    assert tasks
    assert all(task["name"] for task in tasks)
    assert any(f"holdfast.deploy.{module.stem}" in task for task in tasks)


@pytest.mark.parametrize("role", role_folders(), ids=by_name)
def test_role_says_what_it_takes(role: Path) -> None:
    assert (role / "README.md").is_file()
    for entry_point in specs(role).values():
        assert entry_point["short_description"]
        assert entry_point["description"]


@pytest.mark.parametrize("role", role_folders(), ids=by_name)
def test_role_defaults_are_the_options_of_its_specs(role: Path) -> None:
    options: dict[str, Any] = {}
    for entry_point in specs(role).values():
        options.update(entry_point.get("options", {}))
    path = role / "defaults" / "main.yml"
    defaults = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
    needed = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) <= set(options) - needed
    for name, option in options.items():
        # An option without a default in either place is one that has no safe value: a password, a port.
        if "default" in option:
            assert name in defaults, f"{name}: the specs state a default, defaults/main.yml has none"
            assert defaults[name] == option["default"], f"{name}: the specs and defaults/main.yml differ"


@pytest.mark.parametrize("role", role_folders(), ids=by_name)
def test_role_variables_begin_with_its_name(role: Path) -> None:
    for entry_point in specs(role).values():
        assert [name for name in entry_point.get("options", {}) if not name.startswith(f"{role.name}_")] == []


def test_action_groups_name_modules_that_exist() -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    named = {module for members in groups.values() for module in members}
    assert named <= {module.stem for module in module_files()}


def test_playbook_and_role_names_can_be_called_from_the_collection() -> None:
    names = [path.stem for path in (ROOT / "playbooks").rglob("*.yml")] + [role.name for role in role_folders()]
    assert [name for name in names if not name.isidentifier()] == []
