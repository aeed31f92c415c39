"""The check of a Redis server: what it measures, what it calls wrong, and what it makes of a peer that is none."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import ask
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from support.processes import free_port, wait_until
from support.queue import Eye
from support.redis import redis

PASSWORD = "redis-s3cret"


def check(server: Any, **options: Any) -> dict[str, Any]:
    return {"type": "redis", "login_unix_socket": str(server.socket), **options}


def outage(entry: dict[str, Any]) -> tuple[bool, str]:
    """Whether a check takes what it sees for an outage, and what it says."""
    answer = ask(parse([entry])[0], Store())
    assert answer.status == "fail"
    return answer.outage, answer.output


def test_a_server_that_is_well(tmp_path):
    with redis(tmp_path / "redis", "--maxmemory", "64mb", "--maxclients", "50") as server:
        seen = Eye().look(check(server))
        assert (seen.status, seen.verdict) == ("pass", "")
        assert seen.output.startswith("Redis ") and seen.output.endswith(", master")
        assert 0 < seen.values["memory_percent"] < 10
        assert seen.values["connections_percent"] == 2
        by_port = {"type": "redis", "login_host": "127.0.0.1", "login_port": server.port, "database": 3}
        assert Eye().look(by_port).status == "pass"


def test_who_may_not_log_in_is_no_outage(tmp_path):
    with redis(tmp_path / "redis", password=PASSWORD) as server:
        assert Eye().look(check(server, login_password=PASSWORD)).status == "pass"
        assert outage(check(server)) == (False, "the Redis server refused INFO: NOAUTH Authentication required.")
        out, said = outage(check(server, login_password="wrong-s3cret"))
        assert not out and "refused AUTH: WRONGPASS" in said and "wrong-s3cret" not in said
        server.cli("ACL", "SETUSER", "probe", "on", ">other-s3cret", "+info", "+select")
        assert Eye().look(check(server, login_user="probe", login_password="other-s3cret")).status == "pass"
        out, said = outage(check(server, login_user="probe", login_password=PASSWORD))
        assert not out and "WRONGPASS" in said


def test_an_empty_password_is_none(tmp_path):
    with redis(tmp_path / "redis") as server:
        assert Eye().look(check(server, login_password="")).status == "pass"
        server.cli("ACL", "SETUSER", "eye", "on", "nopass", "+info")
        assert Eye().look(check(server, login_user="eye", login_password="")).status == "pass"


def test_tls(tmp_path, monkeypatch):
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    options = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with redis(tmp_path / "redis", *options, "--tls-auth-clients", "no", password=PASSWORD):
        entry = {"type": "redis", "login_port": port, "tls": True, "login_password": PASSWORD}
        out, said = outage(entry)
        assert not out and "its certificate is not accepted" in said
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert Eye().look(entry).status == "pass"
        queue = {**entry, "type": "queue", "backend": "redis", "workers_here": False}
        assert Eye().look(queue).status == "pass"


def test_nobody_there_is_an_outage(tmp_path):
    out, said = outage({"type": "redis", "login_host": "127.0.0.1", "login_port": free_port()})
    assert out and "does not answer: Connection refused" in said
    out, said = outage({"type": "redis", "login_unix_socket": str(tmp_path / "none")})
    assert out and "does not answer: No such file" in said


def test_memory_and_connections_that_run_out(tmp_path):
    options = ("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru", "--maxclients", "5")
    with redis(tmp_path / "redis", *options) as server, ExitStack() as held:
        eye = Eye()
        first = eye.look(check(server))
        assert "evicted_new" not in first.values and "rejected_new" not in first.values
        for number in range(60):
            server.cli("SET", f"key-{number}", "x" * 100_000)
        seen = eye.look(check(server))
        assert seen.status in ("warn", "fail") and "memory_percent is " in seen.output
        assert seen.values["evicted_new"] > 0
        for _ in range(4):
            held.enter_context(closing(socket.create_connection(("127.0.0.1", server.port))))
        wait_until(lambda: "connected_clients:5" in server.cli("INFO", "clients"), "all are connected")
        with closing(socket.create_connection(("127.0.0.1", server.port))) as full:
            full.settimeout(10)
            with closing(socket.create_connection(("127.0.0.1", server.port))) as refused:
                refused.settimeout(10)
                assert b"max number of clients" in refused.recv(100)
            out, said = outage(check(server))
            assert not out and "refused INFO: ERR max number of clients reached" in said
        wait_until(lambda: "connected_clients:5" in server.cli("INFO", "clients"), "one has left")
        seen = eye.look(check(server, warn={"memory_percent": None}, fail={"memory_percent": None}))
        assert seen.values["connections_percent"] == 100
        assert seen.values["rejected_new"] >= 2
        assert seen.status == "fail" and "connections_percent is 100 %, the limit is 95" in seen.output


def test_a_replica_and_its_link(tmp_path):
    with ExitStack() as stack:
        alone = stack.enter_context(ExitStack())
        master = alone.enter_context(redis(tmp_path / "master", "--repl-diskless-sync-delay", "0"))
        replica = stack.enter_context(redis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(master.port)))
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), "the replica follows")
        seen = Eye().look(check(replica))
        assert seen.status == "pass" and seen.output.endswith(", slave")
        assert 0 <= seen.values["replication_lag_s"] < 30
        alone.close()
        wait_until(lambda: "master_link_status:down" in replica.cli("INFO", "replication"), "the link is gone")
        seen = Eye().look(check(replica))
        assert (seen.status, seen.verdict) == ("fail", "link_down")
        assert f"the link to its master 127.0.0.1 port {master.port} is down" in seen.output


def test_a_snapshot_that_cannot_be_saved(tmp_path):
    with redis(tmp_path / "redis") as server:
        (tmp_path / "redis/dump.rdb").mkdir()
        server.cli("BGSAVE")
        wait_until(lambda: "rdb_last_bgsave_status:err" in server.cli("INFO", "persistence"), "the snapshot fails")
        seen = Eye().look(check(server))
        assert (seen.status, seen.verdict) == ("fail", "unsaved")
        assert "its last snapshot could not be saved" in seen.output and "memory_percent" not in seen.values


def test_a_server_that_loads_its_data(tmp_path):
    with redis(tmp_path / "redis") as server:
        server.cli("EVAL", "for i = 1, 4000 do redis.call('set', i, string.rep('x', 1000)) end", 0)
        server.cli("SAVE")
    slow = ("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    with redis(tmp_path / "redis", *slow) as server:
        out, said = outage(check(server))
        assert not out and "is still loading its data" in said
        assert Eye().look(check(server)).verdict == "loading"
        queue = {"type": "queue", "backend": "redis", "login_unix_socket": str(server.socket)}
        assert Eye().look(queue).verdict == "loading"


@contextmanager
def peer(folder: Path, answer: bytes) -> Iterator[Path]:
    """Somebody who listens on a socket and gives each caller an answer, and no more than that."""
    path = folder / "peer.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)
                if answer.endswith(b"..."):
                    connection.recv(1 << 16)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "is_outage", "said"),
    [
        (b"", True, "does not answer: it hung up"),
        (b"$100\r\nshort", True, "does not answer: it hung up"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "does not speak Redis' protocol: it sent HTTP/1.1 400"),
        (b"$99999999999\r\n", False, "more than 16 MiB"),
        (b"*99999999999\r\n", False, "more than 16 MiB"),
        (b"*1\r\n" * 100, False, "more than 16 MiB"),
        (b"$x\r\n", False, "does not speak Redis' protocol"),
        (b":5\r\n", False, "expected INFO to give a text"),
        (b"$-1\r\n", False, "expected INFO to give a text"),
        (b"$10\r\n...", True, "no answer within 0.5 s"),
    ],
)
def test_a_peer_that_is_no_redis_server(tmp_path, answer, is_outage, said):
    with peer(tmp_path, answer) as path:
        found = outage({"type": "redis", "login_unix_socket": str(path), "timeout": 0.5})
        assert found[0] == is_outage and said in found[1], found
