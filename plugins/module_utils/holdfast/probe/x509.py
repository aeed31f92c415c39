# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an X.509 certificate says of itself (RFC 5280, 4.1), read from its DER encoding.

It is read here and not by `openssl x509`: that prints names differently from version to version, is missing on small
systems, and is one process more. Python's ssl module decodes only what it has verified, so neither a file nor an
expired certificate. No signature is looked at.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from .checks import Measure, excerpt

_SEQUENCE = 0x30
_VERSION, _EXTENSIONS = 0xA0, 0xA3  # tagged [0] and [3]
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # tagged [2] and [7]
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17
_CHARSETS = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}  # BMPString, UniversalString, TeletexString
_ATTRIBUTES = {  # RFC 4519
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
}
_PEM = re.compile(
    r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s(.*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.DOTALL
)


CERTIFICATE_DAYS = {"certificate_days": Measure("days", warn=14, fail=3, lower_is_worse=True)}
SECONDS_A_DAY = 86400.0


def certificate_days(ends: float, now: float) -> dict[str, float]:
    """The value of CERTIFICATE_DAYS at `now`, for a certificate that ends at a time; both in seconds since 1970."""
    return {"certificate_days": round((ends - now) / SECONDS_A_DAY, 2)}


@dataclass(frozen=True)
class Certificate:
    """Whom it is of, by whom, and from when to when, in seconds since 1970.

    `names` are the host names and addresses that it is good for.
    """

    subject: str
    issuer: str
    begins: float
    ends: float
    names: tuple[str, ...]

    def __str__(self) -> str:
        # A subject may be empty where there are alternative names (RFC 5280, 4.1.2.6).
        owner = excerpt(self.subject or ", ".join(self.names), "nobody")
        day = datetime.fromtimestamp(self.ends, timezone.utc).strftime("%Y-%m-%d")
        return f"the certificate of {owner} by {excerpt(self.issuer, 'nobody')} ends on {day}"

    def covers(self, host: str) -> bool:
        """Whether it is good for a host name or address (RFC 9525, 6): a star stands for one whole label, the first."""
        wanted = _canonical(host)
        first, _, rest = wanted.partition(".")
        starred = f"*.{rest}" if first and rest else wanted
        return wanted in self.names or starred in self.names


def from_pem(text: str) -> Certificate:
    """The first certificate in a PEM file (RFC 7468). Raises ValueError."""
    found = _PEM.search(text)
    if not found:
        raise ValueError("there is no PEM certificate in it")
    try:
        der = ssl.PEM_cert_to_DER_cert(f"-----BEGIN CERTIFICATE-----\n{found[1]}\n-----END CERTIFICATE-----")
    except ValueError as error:
        raise ValueError(f"the PEM certificate in it is broken ({error})") from None
    return from_der(der)


def from_der(der: bytes) -> Certificate:
    """A certificate from its DER encoding. Raises ValueError."""
    try:
        return _certificate(der)
    except (ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"the certificate cannot be understood ({error or type(error).__name__})") from None


def _certificate(der: bytes) -> Certificate:
    signed = _inside(_inside(_only(der, _SEQUENCE))[0][1])
    fields = [field for field in signed if field[0] != _VERSION]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, then what is optional
    (_, issuer), (_, validity), (_, subject) = fields[2:5]
    begins, ends = (_time(*one) for one in _inside(validity))
    names = tuple(name for tag, value in fields[6:] if tag == _EXTENSIONS for name in _alternative_names(value))
    return Certificate(_name(subject), _name(issuer), begins, ends, names)


def _inside(data: bytes) -> list[tuple[int, bytes]]:
    """The tag and the content of each value in a row (X.690, 8.1). Raises ValueError."""
    return list(_values(data))


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            octets = size & 0x7F
            size, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield tag, data[at : at + size]
        at += size


def _only(data: bytes, tag: int) -> bytes:
    found, content = next(_values(data), (0, b""))
    if found != tag:
        raise ValueError("it does not begin as one")
    return content


def _time(tag: int, value: bytes) -> float:
    """RFC 5280, 4.1.2.5: two digits of a year are of 1950 to 2049."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("it has no time where one is due")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def _name(data: bytes) -> str:
    """The common name and the organisation of a distinguished name, in the order in which they stand."""
    parts = []
    for _, relative in _inside(data):
        for _, attribute in _inside(relative):
            (_, kind), (tag, value) = _inside(attribute)[:2]
            if kind in _ATTRIBUTES:
                parts.append(f"{_ATTRIBUTES[kind]}={value.decode(_CHARSETS.get(tag, 'utf-8'), errors='replace')}")
    return ", ".join(parts)


def _alternative_names(data: bytes) -> Iterator[str]:
    for _, extension in _inside(_only(data, _SEQUENCE)):
        entries = _inside(extension)  # extnID, perhaps critical, extnValue
        if entries[0][1] == _SUBJECT_ALT_NAME:
            for tag, value in _inside(_only(entries[-1][1], _SEQUENCE)):
                if tag == _DNS_NAME:
                    yield value.decode("ascii", errors="replace").lower()
                elif tag == _IP_ADDRESS:
                    yield str(ipaddress.ip_address(value))


def _canonical(host: str) -> str:
    """A host as it stands in `names`: an address in its shortest form, a name in lower case as the DNS has it."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        name = host.rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name
