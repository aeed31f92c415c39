"""Code comes from a repository, an archive or a folder; what cannot be had leaves no trace."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from support.plain import PlainApp, git


@pytest.fixture
def app(tmp_path: Path) -> PlainApp:
    return PlainApp.make(tmp_path)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder's files over HTTP; gives the address."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def archive(app: PlainApp, folder: Path, *, top: str = "", name: str = "plain.tar.gz") -> tuple[Path, str]:
    """The source as a tar file, and its checksum as the role wants it."""
    path = folder / name
    renamed = [f"--transform=s,^\\.,{top}/deep,"] if top else []
    subprocess.run(["tar", "-czf", str(path), *renamed, "-C", str(app.source), "."], check=True)
    return path, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def assert_nothing_happened(app: PlainApp) -> None:
    assert app.live is None
    assert app.releases == []
    assert not (app.path / ".holdfast/journal.json").exists()


def test_any_ref_of_a_repository_and_the_commit_is_recorded(app):
    git(app.source, "init", "-q", "-b", "main")
    commits = {}
    for version in ("1", "2", "3"):
        app.version(version)
        git(app.source, "add", "-A")
        git(app.source, "commit", "-q", "-m", version)
        commits[version] = git(app.source, "rev-parse", "HEAD")
        if version == "2":
            git(app.source, "tag", "-a", "v2", "-m", "two")
            git(app.source, "branch", "side")
    repository = {"deploy_source": "git"}
    for ref, version in (("v2", "2"), ("main", "3"), (commits["1"], "1"), ("side", "2"), ("HEAD", "3")):
        ended = app.deploy(deploy_source_ref=ref, **repository)
        assert ended.rc == 0, ended.output
        assert app.live == version, ref
        assert (app.path / "current/REVISION").read_text().strip() == commits[version]
        assert not (app.path / "current/.git").exists(), "a web root without the repository"
    live = app.releases
    ended = app.deploy(deploy_source_ref="no-such-ref", **repository)
    assert ended.rc != 0 and "no-such-ref" in ended.last() and "nothing that is live was touched" in ended.last()
    assert app.releases == live and app.live == "3"


def test_submodules_come_along(app, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q", "-b", "main")
    (library / "code.txt").write_text("from the submodule")
    git(library, "add", "-A")
    git(library, "commit", "-q", "-m", "library")
    git(app.source, "init", "-q", "-b", "main")
    git(app.source, "submodule", "--quiet", "add", str(library), "lib/part one")
    git(app.source, "add", "-A")
    git(app.source, "commit", "-q", "-m", "app")
    allowed = tmp_path / "gitconfig"
    allowed.write_text('[protocol "file"]\n\tallow = always\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(allowed))
        ended = app.deploy(deploy_source="git")
    assert ended.rc == 0, ended.output
    assert (app.path / "current/lib/part one/code.txt").read_text() == "from the submodule"


@pytest.mark.parametrize("by_url", [False, True])
def test_an_archive_with_its_checksum(app, tmp_path, by_url):
    path, checksum = archive(app, tmp_path, top="plain-1.0")
    with served(tmp_path) as address:
        where = f"{address}/{path.name}" if by_url else str(path)
        settings = {"deploy_source": "archive", "deploy_source_location": where, "deploy_source_strip": 2}
        wrong = app.deploy(deploy_source_checksum="sha256:" + "0" * 64, **settings)
        assert wrong.rc != 0 and checksum.removeprefix("sha256:") in wrong.last().replace(" ", ""), wrong.output
        assert_nothing_happened(app)
        ended = app.deploy(deploy_source_checksum=checksum, **settings)
    assert ended.rc == 0, ended.output
    assert app.live == "1"
    assert (app.path / "current/REVISION").read_text().strip() == checksum


def test_an_archive_by_url_wants_a_checksum(app):
    ended = app.deploy(deploy_source="archive", deploy_source_location="http://127.0.0.1:1/plain.tar.gz")
    assert ended.rc != 0 and "deploy_source_checksum" in ended.last(), ended.output
    assert_nothing_happened(app)


def test_a_broken_archive_leaves_no_trace(app, tmp_path):
    path, _ = archive(app, tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    ended = app.deploy(deploy_source="archive", deploy_source_location=str(path))
    assert ended.rc != 0 and "FAILED at Source | Unpack the archive" in ended.last(), ended.output
    assert_nothing_happened(app)


@pytest.mark.parametrize("source", ["archive", "directory", "git"])
@pytest.mark.parametrize("check", [False, True])
def test_a_source_that_is_not_there_leaves_no_trace(app, source, check):
    extra = ["--check"] if check else []
    ended = app.deploy(*extra, deploy_source=source, deploy_source_location="/no/such/place")
    assert ended.rc != 0 and "/no/such/place" in ended.last(), ended.output
    assert_nothing_happened(app)


def test_a_folder_with_odd_names_and_links(app):
    (app.source / "with space 'and quote'").mkdir()
    (app.source / "with space 'and quote'/ünïcode 😀.txt").write_text("here")
    (app.source / "link").symlink_to("VERSION")
    (app.source / "run.sh").write_text("#!/bin/sh\n")
    (app.source / "run.sh").chmod(0o755)
    ended = app.deploy()
    assert ended.rc == 0, ended.output
    current = app.path / "current"
    assert (current / "with space 'and quote'/ünïcode 😀.txt").read_text() == "here"
    assert (current / "link").is_symlink()
    assert (current / "run.sh").stat().st_mode & 0o777 == 0o755
