"""Names that become paths, files that are whole or not there, commands without a shell."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast import commands, files, names
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import (
    HoldfastError,
    InvalidInput,
    MissingTool,
    ToolFailed,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.process import Tool, require_tool, secret_file

HOSTILE = ["a; rm -rf /", "../x", "a/b", "'q'", '"q"', "ünïcode", "", ".hidden", "-rf", "a..b", "x" * 65, "a\nb", "a b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused_with_the_rule(name):
    with pytest.raises(InvalidInput, match="give 1 to 64 letters") as refused:
        names.check_name("app", name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", ["shop", "shop-2.example.com", "A_b", "x" * 64, "7"])
def test_ordinary_names_are_taken(name):
    assert names.check_name("app", name) == name


def test_stamps_sort_by_time_and_never_go_back():
    now = datetime(2026, 11, 23, 15, 7, 35, 123456, timezone.utc)
    assert names.new_stamp([], now) == "20261123T150735.123456Z"
    later = names.stamp(now + timedelta(days=1)) + "-label-abcdef"
    assert names.new_stamp(["by-hand", later], now) == "20261124T150735.123457Z"
    assert names.stamp(now.astimezone(timezone(timedelta(hours=5)))) == names.stamp(now)
    assert names.stamp_of(later) == now + timedelta(days=1)
    assert names.stamp_of("current") is None


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path):
    path = tmp_path / "f"
    files.write_atomic(path, b"old")
    with open(path, "rb") as reader:
        files.write_atomic(path, b"new", 0o600)
        assert reader.read() == b"old", "who reads the old file reads all of it"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError):
        files.write_atomic(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_link_is_replaced_without_a_moment_without_it(tmp_path):
    link = tmp_path / "current"
    files.replace_link(link, "a")
    files.replace_link(link, "b")
    assert os.readlink(link) == "b"
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]


def test_folders_that_cannot_be_made_are_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HoldfastError, match=f"Cannot create the folder {tmp_path}/file/x"):
        files.make_dirs(tmp_path / "file/x")


def test_a_secret_file_is_readable_by_a_child_and_is_in_no_folder():
    with secret_file("s3cret") as (path, descriptor):
        with Tool(["cat", path], stdout=subprocess.PIPE, pass_fds=[descriptor]) as tool:
            assert b"".join(tool.chunks()) == b"s3cret"
        assert os.fstat(descriptor).st_mode & 0o777 == 0o600
        assert os.fstat(descriptor).st_nlink == 0
    assert not Path(path).exists()


def test_every_exit_status_counts():
    with pytest.raises(ToolFailed, match="sh ended with status 3: why"), Tool(["sh", "-c", "echo why >&2; exit 3"]):
        pass
    with (
        pytest.raises(ToolFailed, match="sh was killed by signal 9 and said nothing"),
        Tool(["sh", "-c", "kill -9 $$"]),
    ):
        pass


def test_a_missing_program_names_its_package():
    with pytest.raises(MissingTool, match="Install the package zstd"):
        require_tool("zstd", "no-such-zstd")


def run(folder: Path, *entries, **environment: str):
    return commands.run_all([commands.parse(entry) for entry in entries], folder, environment)


def test_commands_run_in_order_in_their_folder_without_a_shell(tmp_path):
    results = run(tmp_path, "touch 'a b'", "ls", "echo $HOME; *", "sh -c 'echo $GREETING'", GREETING="hello")
    assert [one["rc"] for one in results] == [0, 0, 0, 0]
    assert [one["stdout"] for one in results] == ["", "a b\n", "$HOME; *\n", "hello\n"]


def test_commands_need_not_ask_how_wide_the_terminal_is(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert run(tmp_path, "sh -c 'echo $COLUMNS'")[0]["stdout"].strip().isdigit()
    assert run(tmp_path, "sh -c 'echo $COLUMNS'", COLUMNS="77")[0]["stdout"] == "77\n"


def test_the_first_that_fails_is_the_last_that_runs(tmp_path):
    with pytest.raises(
        commands.CommandFailed, match="`sh -c 'echo why >&2; exit 4'` ended with status 4: why"
    ) as failed:
        run(tmp_path, "touch first", "sh -c 'echo why >&2; exit 4'", "touch third")
    assert [one["rc"] for one in failed.value.results] == [0, 4]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["first"]


def test_a_command_that_is_not_there(tmp_path):
    with pytest.raises(commands.CommandFailed, match="it cannot be run: No such file"):
        run(tmp_path, "no-such-program")


def test_a_command_may_depend_on_a_file(tmp_path):
    run(tmp_path, {"cmd": "touch composed", "if_exists": "composer.lock"})
    assert not (tmp_path / "composed").exists()
    (tmp_path / "composer.lock").touch()
    run(tmp_path, {"cmd": "touch composed", "if_exists": "composer.lock"})
    assert (tmp_path / "composed").exists()


@pytest.mark.parametrize("entry", ["", "   ", {"cmd": None}, "echo 'x"])
def test_what_is_no_command_is_refused(entry):
    with pytest.raises(InvalidInput):
        commands.parse(entry)


def test_the_secrets_of_an_environment_are_known_by_their_names():
    environment = {"DB_PASSWORD": "a", "STRIPE_KEY": "b", "DATABASE_URL": "c", "APP_ENV": "production", "TOKEN": ""}
    assert sorted(commands.secrets_in(environment)) == ["a", "b", "c"]
