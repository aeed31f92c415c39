"""What is encrypted is read by who has the key, and by nobody else; the host that writes it needs none."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import read_set

from support.b2 import b2_server
from support.databases import ODD_TEXT, Database, sqlite_database
from support.playbook import run_module


def new_key(folder: Path, name: str) -> tuple[str, str]:
    """A public key, and the private one."""
    subprocess.run(["age-keygen", "-o", str(folder / name)], check=True, capture_output=True)
    text = (folder / name).read_text()
    public = next(line.split(": ")[1] for line in text.splitlines() if line.startswith("# public key"))
    return public, text


def run(module: str, database: Database, root: Path, **options: Any) -> dict[str, Any]:
    secret = str(options.get("age_identity", "AGE-SECRET-KEY-none"))
    answer, output = run_module(module, {**database.options, "root": str(root), "app": "shop", **options}, "-vvv")
    assert secret.splitlines()[-1] not in output
    return answer


def test_a_host_without_the_key_writes_what_another_one_reads(database, tmp_path):
    public, private = new_key(tmp_path, "ours")
    other, stranger = new_key(tmp_path, "theirs")
    good = database.content()
    refused = run("db_backup", database, tmp_path / "b", encrypt_to=[public])
    assert "verify=archive reads the backup back, which takes the key" in refused["msg"]
    assert not list((tmp_path / "b").rglob("*"))
    made = run("db_backup", database, tmp_path / "b", encrypt_to=[public, other], verify="checksum")["backup_set"]
    assert made["encrypted_to"] == [public, other] and made["verified"] == "checksum"
    file = read_set(Path(made["path"])).data_file()
    assert file.name.endswith(".zst.age") and file.read_bytes().startswith(b"age-encryption.org/v1")
    database.sql("DELETE FROM customers WHERE id > 1")
    bad = database.content()
    keyless = run("db_restore", database, tmp_path / "b", backup="latest")
    assert "is encrypted. Give the key that opens it by age_identity." in keyless["msg"]
    _, unknown = new_key(tmp_path, "unknown")
    wrong = run("db_restore", database, tmp_path / "b", backup="latest", age_identity=unknown)
    assert "does not open the backup" in wrong["msg"], wrong
    nonsense = run("db_restore", database, tmp_path / "b", backup="latest", age_identity="nonsense")
    assert "does not open the backup" in nonsense["msg"], nonsense
    assert database.content() == bad
    done = run("db_restore", database, tmp_path / "b", backup="latest", age_identity=stranger)
    assert database.content() == good, done
    assert done["safety_backup"]["encrypted_to"] == [public, other], "what was replaced is not left open to read"
    again = run("db_backup", database, tmp_path / "b", encrypt_to=[public], age_identity=private, compression="none")
    assert again["backup_set"]["verified"] == "archive", again
    assert not [path for path in (tmp_path / "b").rglob("*.age") if ODD_TEXT[:5].encode() in path.read_bytes()]


@pytest.fixture
def sqlite(tmp_path):
    with sqlite_database(tmp_path) as one:
        yield one


def test_a_damaged_encrypted_backup_is_told_from_a_wrong_key(sqlite, tmp_path):
    public, private = new_key(tmp_path, "ours")
    made = run("db_backup", sqlite, tmp_path / "b", encrypt_to=[public], age_identity=private)["backup_set"]
    backup = read_set(Path(made["path"]))
    whole = backup.data_file().read_bytes()
    numbers = random.Random(3)  # noqa: S311
    for _ in range(40):
        broken = bytearray(whole)
        broken[numbers.randrange(len(whole))] ^= 1 << numbers.randrange(8)
        backup.data_file().write_bytes(broken[: numbers.choice([len(whole), numbers.randrange(len(whole))])])
        with_key = read_set(Path(made["path"]))
        object.__setattr__(with_key, "identity", private)
        with pytest.raises(Exception, match=r"does not decrypt to its end|does not open|decompress|public key"):
            for _ in with_key.data():
                pass


def test_a_private_key_in_the_wrong_place_is_not_shown(sqlite, tmp_path):
    _, private = new_key(tmp_path, "ours")
    secret = private.splitlines()[-1]
    answer = run("db_backup", sqlite, tmp_path / "b", encrypt_to=[secret], verify="checksum")
    assert "Number 1 of encrypt_to is no public key" in answer["msg"] and secret not in answer["msg"]


def test_an_encrypted_copy_is_drilled_where_the_key_is(sqlite, tmp_path):
    public, private = new_key(tmp_path, "ours")
    run("db_backup", sqlite, tmp_path / "b", encrypt_to=[public], verify="checksum")
    keys = {"b2_bucket": "off-site", "b2_key_id": "key-id", "b2_application_key": "application-key"}
    with b2_server() as b2:
        keys["b2_realm"] = b2.url
        assert run_module("db_backup_offsite", {"root": str(tmp_path / "b"), "app": "shop", **keys})[0]["changed"]
        where = {**keys, "report_dir": str(tmp_path / "reports")}
        keyless = run("db_restore_drill", sqlite, tmp_path / "d", **where)
        assert keyless["failed"] and "Give the key that opens it" in keyless["report"]["failures"][0]
        done = run("db_restore_drill", sqlite, tmp_path / "d", **where, age_identity=private)
        assert done["report"]["verdict"] == "passed", done
