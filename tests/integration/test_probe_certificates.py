"""Certificates that real servers show, and that lie in files."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import ask, run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.x509 import from_der, from_pem

from support.certificates import Authority, authority, tls_servers
from support.misbehaving import misbehaving

DAY = 86400.0
NAMES = "DNS:shop.example.com,DNS:*.shop.example.com,DNS:xn--mnchen-3ya.example,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1"
SHORT_NAMES = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}


@dataclass
class Servers:
    """Ports at which a certificate is shown: one that is good, one that soon ends, one that has, one without a name."""

    good: int
    soon: int
    over: int
    other: int


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = authority(tmp_path_factory.mktemp("ca"))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(made.pem)  # what OpenSSL trusts, and Python with it
    yield made
    os.environ.pop("SSL_CERT_FILE")
    if before is not None:
        os.environ["SSL_CERT_FILE"] = before


@pytest.fixture(scope="module")
def servers(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    shown = [
        ca.issue("/CN=shop.example.com/O=Shop Ltd", NAMES, days=60),
        ca.issue("/CN=shop.example.com", NAMES, days=10),
        ca.issue("/CN=shop.example.com", NAMES, days=-1),
        ca.issue("/", "DNS:elsewhere.example.com", days=60, key="rsa:2048"),
    ]
    with tls_servers(tmp_path_factory.mktemp("nginx"), shown) as ports:
        yield Servers(*ports)


def seen(**check: Any) -> Result:
    return run_round(parse([check]))[0]


def tls(port: int, **options: Any) -> Result:
    return seen(type="tls", host="127.0.0.1", port=port, **options)


def test_a_good_certificate(servers):
    result = tls(servers.good, server_name="shop.example.com")
    assert (result.status, result.name) == ("pass", f"tls shop.example.com:{servers.good}")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 60 * DAY))
    assert result.output == (
        f"TLSv1.3, the certificate of CN=shop.example.com, O=Shop Ltd by CN=Trust Me, O=Holdfast Tests ends on {day}"
    )
    assert 59.9 < result.values["certificate_days"] <= 60
    assert tls(servers.good).status == "pass", "the address itself is among its names"


def test_a_certificate_that_soon_ends(servers):
    result = tls(servers.soon)
    assert result.status == "warn"
    assert "certificate_days is 10 days, the limit is 14" in result.output
    assert tls(servers.soon, fail={"certificate_days": 11}).status == "fail"
    web = seen(type="http", url=f"https://127.0.0.1:{servers.soon}/")
    assert (web.status, round(web.values["certificate_days"])) == ("warn", 10)
    unverified = seen(type="http", url=f"https://127.0.0.1:{servers.soon}/", validate_certs=False)
    assert (unverified.status, "certificate_days" in unverified.values) == ("pass", False)


@pytest.mark.parametrize(
    ("port", "options", "said"),
    [
        ("over", {}, "its certificate is not accepted: certificate has expired"),
        ("other", {}, "its certificate is not accepted: IP address mismatch"),
        ("good", {"server_name": "elsewhere.example.com"}, "its certificate is not accepted: Hostname mismatch"),
    ],
)
def test_a_wrong_certificate_fails_and_is_no_outage(servers, port, options, said):
    check = {"type": "tls", "host": "127.0.0.1", "port": getattr(servers, port), **options}
    found = ask(parse([check])[0], Store())
    assert said in found.output
    assert (found.status, found.outage) == ("fail", False)


def test_who_is_not_trusted_is_refused(servers, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority(tmp_path / "other").pem))
    assert "its certificate is not accepted" in tls(servers.good).output


def test_without_validation_the_end_still_counts(servers):
    result = tls(servers.over, validate_certs=False)
    assert result.status == "fail"
    assert "certificate_days is -1 days, the limit is 3" in result.output
    other = tls(servers.other, validate_certs=False)
    assert "the certificate of elsewhere.example.com by CN=Trust Me" in other.output, "its subject is empty"


def test_an_old_protocol_is_refused(ca, tmp_path):
    with tls_servers(tmp_path / "old", [ca.issue("/CN=x", NAMES)], "TLSv1.2") as (port,):
        assert tls(port).output.startswith("TLSv1.2, ")


def test_who_does_not_speak_tls():
    with misbehaving() as server:
        plain = ask(parse([{"type": "tls", "host": "127.0.0.1", "port": server.port, "timeout": 0.3}])[0], Store())
        assert plain.output == f"no TLS with 127.0.0.1 port {server.port} within 0.3 s"
        assert plain.outage
    gone = ask(parse([{"type": "tls", "host": "127.0.0.1", "port": server.port}])[0], Store())
    assert gone.output == f"no TLS with 127.0.0.1 port {server.port}: Connection refused"
    assert gone.outage


@pytest.mark.parametrize("path", ["/silent", "/stall", "/drip", "/endless-headers"])
def test_a_time_limit_holds_over_tls_too(ca, path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pem = ca.issue("/CN=x", NAMES)
    context.load_cert_chain(pem, pem.with_suffix(".key"))
    with misbehaving(context) as server:
        assert seen(type="http", url=server.url("/ok")).status == "pass"
        begun = time.monotonic()
        found = ask(parse([{"type": "http", "url": server.url(path), "timeout": 0.4}])[0], Store())
        assert time.monotonic() - begun < 2, "0.4 s is the limit"
        assert (found.outage, "within 0.4 s" in found.output) == (True, True)


def test_a_certificate_in_a_file(ca):
    pem = ca.issue("/CN=shop.example.com", NAMES, days=20)
    key_first = pem.with_name("bundle.pem")
    key_first.write_text(pem.with_suffix(".key").read_text() + pem.read_text() + ca.pem.read_text())
    result = seen(type="certificate", path=str(key_first), host_name="shop.example.com")
    assert result.status == "pass"
    assert result.output.startswith("the certificate of CN=shop.example.com by CN=Trust Me, O=Holdfast Tests ends on")
    assert 19.9 < result.values["certificate_days"] <= 20


@pytest.mark.parametrize(
    ("days", "status", "verdict"), [(0, "pass", ""), (6.5, "warn", ""), (17.5, "fail", ""), (21, "fail", "expired")]
)
def test_a_certificate_in_a_file_as_time_passes(ca, days, status, verdict):
    pem = ca.issue("/CN=x", NAMES, days=20)
    store = Store(clock=lambda: time.time() + days * DAY)
    result = run_round(parse([{"type": "certificate", "path": str(pem)}]), store)[0]
    assert (result.status, result.verdict) == (status, verdict)
    early = Store(clock=lambda: time.time() - 2 * DAY)
    result = run_round(parse([{"type": "certificate", "path": str(pem)}]), early)[0]
    assert (result.status, result.verdict) == ("fail", "not_yet_valid")
    assert "but it is good only in " in result.output


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("shop.example.com", True),
        ("SHOP.example.com.", True),
        ("www.shop.example.com", True),
        ("a.b.shop.example.com", False),
        (".shop.example.com", False),
        ("example.com", False),
        ("notshop.example.com", False),
        ("m\u00fcnchen.example", True),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("::1", True),
    ],
)
def test_for_whom_a_certificate_is_good(ca, host, covered):
    pem = ca.issue("/CN=example.com", NAMES)
    result = seen(type="certificate", path=str(pem), host_name=host)
    assert (result.status == "pass") is covered
    if not covered:
        assert result.verdict == "wrong_host"
        assert f"it is not good for {host}, only for shop.example.com, *.shop.example.com" in result.output
    trusting = ssl.create_default_context()
    if not host.startswith((".", "SHOP")) and host.isascii():
        assert _accepts(trusting, pem, host) is covered, "OpenSSL agrees"


def _accepts(context: ssl.SSLContext, pem: Path, host: str) -> bool:
    """Whether Python's ssl module takes the certificate for a host, in a handshake within this process."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, pem.with_suffix(".key"))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(down, up, server_hostname=host)
    theirs = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return True


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file "),
        (b"", "there is no PEM certificate in it"),
        (b"\x30\x82\x01\xff\xfe", "there is no PEM certificate in it"),
        (b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "cannot be understood"),
        (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "cannot be understood"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "the PEM certificate in it is broken"),
    ],
)
def test_a_file_without_a_certificate(tmp_path, content, said):
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_bytes(content)
    result = seen(type="certificate", path=str(path))
    assert result.status == "fail"
    assert said in result.output
    assert str(path) in result.output


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert seen(type="certificate", path=str(tmp_path / "pipe")).output == f"there is no file {tmp_path / 'pipe'}"
    assert seen(type="certificate", path=str(tmp_path)).output == f"there is no file {tmp_path}"


def test_the_world_s_authorities_are_read_as_openssl_reads_them():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations("/etc/ssl/certs/ca-certificates.crt")
    known = list(zip(context.get_ca_certs(binary_form=True), context.get_ca_certs()))
    assert len(known) > 100
    for der, wanted in known:
        found = from_der(der)
        assert found.begins == ssl.cert_time_to_seconds(wanted["notBefore"])
        assert found.ends == ssl.cert_time_to_seconds(wanted["notAfter"])
        assert (found.subject, found.issuer) == (_name(wanted["subject"]), _name(wanted["issuer"]))


def _name(parts: Any) -> str:
    return ", ".join(f"{SHORT_NAMES[kind]}={value}" for part in parts for kind, value in part if kind in SHORT_NAMES)


@pytest.mark.parametrize("key", ["ec", "rsa:2048", "ed25519"])
def test_keys_and_letters_of_all_kinds(ca, key):
    pem = ca.issue("/CN=L\u00e4den/O=\u30b7\u30e7\u30c3\u30d7", NAMES, days=365 * 40, key=key)
    found = from_pem(pem.read_text())
    assert found.subject == "CN=L\u00e4den, O=\u30b7\u30e7\u30c3\u30d7"
    assert time.gmtime(found.ends).tm_year > 2049, "from there on its time is written with four digits of the year"
    assert found.names[3:] == ("127.0.0.1", "::1")


def test_a_damaged_certificate_is_not_understood_and_nothing_else(ca):
    der = ssl.PEM_cert_to_DER_cert(ca.pem.read_text())
    assert from_der(der).subject == "CN=Trust Me, O=Holdfast Tests"
    for place in range(len(der)):
        for value in (0x00, 0x30, 0x80, 0x84, 0xFF):
            for damaged in (der[:place] + bytes([value]) + der[place + 1 :], der[:place]):
                try:
                    from_der(damaged)
                except ValueError as error:
                    assert "cannot be understood" in str(error)
