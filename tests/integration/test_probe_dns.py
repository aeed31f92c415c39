"""Names that the system, a dnsmasq, and name servers that misbehave are asked for."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Answer, Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import ask, run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from support.nameserver import bad_nameserver, dnsmasq
from support.processes import free_port

LONG_TEXT = [f"v=spf1 part {number} " + "x" * 200 for number in range(8)]
RECORDS = [
    "--host-record=shop.test,10.0.0.1",
    "--host-record=shop.test,10.0.0.2",
    "--host-record=shop.test,fd00::1",
    "--host-record=four.test,10.0.0.4",
    "--cname=www.test,four.test",
    "--mx-host=shop.test,mail.test,10",
    "--mx-host=shop.test,mail2.test,20",
    "--dns-rr=shop.test,2,036e7331047465737400",
    "--txt-record=shop.test,two,pieces",
    *(f"--txt-record=long.test,{text}" for text in LONG_TEXT),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dnsmasq(tmp_path_factory.mktemp("dnsmasq"), RECORDS) as port:
        yield f"127.0.0.1:{port}"


def seen(name: str, server: str | None = None, **options: Any) -> Result:
    return run_round(parse([{"type": "dns", "domain": name, "server": server, **options}]))[0]


def answer(name: str, port: int, **options: Any) -> Answer:
    check = {"type": "dns", "domain": name, "server": f"127.0.0.1:{port}", "record": "A", **options}
    return ask(parse([check])[0], Store())


def test_by_the_system():
    result = seen("localhost", expect=["127.0.0.1"])
    assert (result.status, result.name) == ("pass", "dns localhost")
    assert "127.0.0.1" in result.output
    assert seen("localhost", record="A").output == "localhost (A) is 127.0.0.1"
    assert seen("localhost", expect="10.9.8.7").output.startswith("expected 10.9.8.7 among the records for localhost")
    assert "does not resolve" in seen("no-such-host.invalid").output


@pytest.mark.parametrize(
    ("name", "record", "found"),
    [
        ("shop.test", "A", {"10.0.0.1", "10.0.0.2"}),
        ("SHOP.test.", "A", {"10.0.0.1", "10.0.0.2"}),
        ("shop.test", "AAAA", {"fd00::1"}),
        ("shop.test", None, {"10.0.0.1", "10.0.0.2", "fd00::1"}),
        ("www.test", "A", {"10.0.0.4"}),
        ("www.test", "CNAME", {"four.test"}),
        ("shop.test", "MX", {"10 mail.test", "20 mail2.test"}),
        ("shop.test", "NS", {"ns1.test"}),
        ("shop.test", "TXT", {"twopieces"}),
    ],
)
def test_by_a_name_server(server, name, record, found):
    result = seen(name, server, record=record, expect=sorted(found))
    assert result.status == "pass", result.output
    assert set(result.output.split(" is ")[1].split(", ")) == found
    assert result.values["answers"] == len(found)
    assert seen(name, server, record=record, fail={"answers": len(found)}).status == "fail"


def test_what_is_expected_may_be_written_in_another_way(server):
    assert seen("shop.test", server, expect=["FD00:0:0:0:0:0:0:1"]).status == "pass"
    assert seen("www.test", server, record="CNAME", expect=["Four.Test."]).status == "pass"
    missing = seen("shop.test", server, record="A", expect=["10.0.0.1", "10.0.0.3"])
    assert missing.output.startswith("expected 10.0.0.3 among the records for shop.test (A), got 10.0.0.")


def test_an_answer_too_long_for_a_datagram_comes_by_tcp(server):
    result = seen("long.test", server, record="TXT", expect=LONG_TEXT)
    assert result.status == "pass", result.output
    assert result.values["answers"] == len(LONG_TEXT)


def test_what_is_not_there(server):
    assert seen("nobody.test", server).output == f"{server} knows no name nobody.test (NXDOMAIN)"
    assert seen("four.test", server, record="AAAA").output == "there is no record for four.test (AAAA)"
    refused = seen("shop.example.com", server)
    assert refused.output == f"{server} has no answer for shop.example.com (A or AAAA): REFUSED"


def test_nobody_listens():
    port = free_port()
    found = answer("shop.test", port)
    assert found.output == f"no answer from 127.0.0.1:{port} for shop.test (A): Connection refused"
    assert found.outage


def reply(query: bytes, *answers: bytes, flags: int = 0x8180) -> bytes:
    return query[:2] + struct.pack("!5H", flags, 1, len(answers), 0, 0) + query[12:] + b"".join(answers)


def address(name: bytes, size: int = 4) -> bytes:
    return name + struct.pack("!2HIH", 1, 1, 60, size) + bytes([10, 0, 0, 9])


POINTER = b"\xc0\x0c"  # to the question's name


def test_a_lost_datagram_is_sent_again():
    queries: list[bytes] = []

    def answers(query: bytes) -> Sequence[bytes]:
        queries.append(query)
        return [reply(query, address(POINTER))] if len(queries) == 3 else []

    with bad_nameserver(answers) as port:
        assert answer("shop.test", port, timeout=1.5).output == "shop.test (A) is 10.0.0.9"
    assert len(queries) == 3


def test_what_is_no_answer_to_the_question_is_passed_over():
    with bad_nameserver(
        lambda query: [
            b"",
            b"x" * 5,
            bytes([query[0] ^ 1]) + reply(query, address(POINTER))[1:],
            reply(query[:12] + b"\x04evil\x04test\x00\x00\x01\x00\x01", address(POINTER)),
            query,
            reply(query, address(POINTER), address(POINTER)),
        ]
    ) as port:
        assert answer("shop.test", port).output == "shop.test (A) is 10.0.0.9, 10.0.0.9"


@pytest.mark.parametrize(
    ("message", "said", "outage"),
    [
        (lambda query: [], "no answer from", True),
        (lambda query: [b"garbage"], "no answer from", True),
        (lambda query: [reply(query, flags=0x8182)], "SERVFAIL", True),
        (lambda query: [query[:2] + struct.pack("!5H", 0x8185, 0, 0, 0, 0)], "REFUSED", False),
        (lambda query: [reply(query, address(POINTER, size=5))], "ends too early", False),
        (lambda query: [reply(query, address(POINTER)[:7])], "ends too early", False),
        (lambda query: [reply(query, address(b"\xc0\x1b"))], "has no end", False),
        (lambda query: [reply(query, address(b"\x01a\xc0\x1b"))], "has no end", False),
        (lambda query: [reply(query, address(b"\xff\xff"))], "has no end", False),
        (lambda query: [reply(query, flags=0x8380)], "Connection refused", True),
    ],
)
def test_name_servers_that_misbehave(message, said, outage):
    with bad_nameserver(message) as port:
        begun = time.monotonic()
        found = answer("shop.test", port, timeout=0.5)
        assert time.monotonic() - begun < 2, "0.5 s is the limit"
    assert said in found.output
    assert (found.status, found.outage) == ("fail", outage)


def test_noise_is_no_reason_to_break():
    chance = random.Random(7)  # noqa: S311 - the same noise each time

    def noise(query: bytes) -> list[bytes]:
        return [reply(query, address(POINTER))[:12] + query[12:] + chance.randbytes(chance.randrange(40))]

    with bad_nameserver(noise) as port:
        for _ in range(300):
            found = answer("shop.test", port)
            assert found.status == "fail"
            assert "broke" not in found.output


@pytest.mark.parametrize("name", [".", "a..b", "x" * 64 + ".test", ".".join(["x" * 60] * 5)])
def test_a_name_that_is_none_is_refused_before_anybody_is_asked(name):
    with pytest.raises(InvalidInput, match="'domain' must be a name of the DNS"):
        parse([{"type": "dns", "domain": name}])


@pytest.mark.parametrize(
    ("server", "good"),
    [("10.0.0.1", True), ("ns.example.com:5353", True), ("fd00::1", True), ("[fd00::1]:53", True)]
    + [(bad, False) for bad in ("", "10.0.0.1:x", "10.0.0.1:99999", "http://10.0.0.1", "a/b", "me@ns.example.com")],
)
def test_how_a_server_may_be_written(server, good):
    check = {"type": "dns", "domain": "shop.test", "server": server}
    if good:
        assert parse([check])[0].name == f"dns shop.test at {server}"
    else:
        with pytest.raises(InvalidInput, match="'server' must be a host, or a host and a port"):
            parse([check])
