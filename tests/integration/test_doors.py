"""The same files work as a clone, as a project of AWX, and as an installed collection."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import ansible_runner
import pytest

from support.plain import LOCAL, PlainApp
from support.playbook import ROOT, environment, program


@pytest.fixture
def app(tmp_path: Path) -> PlainApp:
    return PlainApp.make(tmp_path)


def written(app: PlainApp, folder: Path) -> list[str]:
    """Inventory and variables as files; returns them as arguments."""
    inventory, variables = folder / "hosts.json", folder / "vars.json"
    inventory.write_text(json.dumps({"app": {"hosts": {"web1": LOCAL}}}))
    variables.write_text(json.dumps(app.variables()))
    return ["-i", str(inventory), "-e", f"@{variables}"]


def clone(folder: Path) -> Path:
    """The project as it is now, in a clone that knows nothing of this one's surroundings."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    folder.mkdir(parents=True)
    subprocess.run(
        ["rsync", "-a", "--from0", "--files-from=-", f"{ROOT}/", str(folder)], input=tracked.stdout, check=True
    )
    return folder


def test_a_clone(app, tmp_path):
    project = clone(tmp_path / "clone")
    argv = [program("ansible-playbook"), "deploy.yml", *written(app, tmp_path)]
    done = subprocess.run(argv, cwd=project, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()
    assert app.live == "1"


def test_a_project_of_awx(app, tmp_path):
    """AWX runs ansible-runner with the project's root as the working folder (AWX manual, "Projects")."""
    private = tmp_path / "private"
    clone(private / "project")
    done = ansible_runner.run(
        private_data_dir=str(private),
        playbook="deploy.yml",
        inventory={"app": {"hosts": {"web1": LOCAL}}},
        extravars=app.variables(),
        envvars={"PATH": environment()["PATH"]},
        quiet=True,
    )
    assert done.status == "successful", done.stdout.read()
    assert app.live == "1"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built collection, installed far from the clone."""
    folder = tmp_path_factory.mktemp("installed")
    galaxy = program("ansible-galaxy")
    project = clone(folder / "clone")
    away = {"cwd": folder, "env": environment(), "check": True}  # where no ansible.cfg of ours is found
    subprocess.run([galaxy, "collection", "build", "--output-path", str(folder), str(project)], **away)
    artifact = next(folder.glob("holdfast-deploy-*.tar.gz"))
    argv = [galaxy, "collection", "install", str(artifact), "--no-deps", "-p", str(folder / "collections")]
    subprocess.run(argv, **away)
    shutil.rmtree(project)
    return folder / "collections"


def test_an_installed_collection(app, tmp_path, installed):
    clean = {**environment(), "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    argv = [program("ansible-playbook"), "holdfast.deploy.deploy", *written(app, tmp_path)]
    done = subprocess.run(argv, cwd=tmp_path, env=clean, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert app.live == "1"


def test_the_artifact_holds_the_collection_and_nothing_of_the_clone(installed):
    folder = installed / "ansible_collections/holdfast/deploy"
    names = {entry.name for entry in folder.iterdir()}
    assert {"plugins", "roles", "playbooks", "meta", "README.md", "LICENSE", "MANIFEST.json"} <= names
    assert not names & {"library", "collections", "inventories", "ansible.cfg", "tests", "deploy.yml", "Makefile"}
    documented = subprocess.run(
        [program("ansible-doc"), "-t", "module", "holdfast.deploy.db_backup"],
        env={**environment(), "ANSIBLE_COLLECTIONS_PATH": str(installed)}, cwd=installed,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "login_password" in documented.stdout
