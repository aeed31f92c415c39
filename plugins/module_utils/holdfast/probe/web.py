# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request by HTTP in the time that a check has, and what its answer says."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from .checks import WARN, Unhealthy, excerpt
from .deadline import TIMED_OUT, Connection, Deadline, TimedSocket, TimedTLSSocket, connect, secure, why

REDIRECTS = (301, 302, 303, 307, 308)
TOO_MANY_REQUESTS = 429

_BODY_LIMIT = 1 << 20
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_WAIT_S = 366 * 86400.0


@dataclass(frozen=True)
class Reply:
    """A server's answer; of the body, the first MiB.

    `expires` is when its certificate does, in seconds since 1970; None where none was verified.
    """

    url: str
    status: int
    reason: str
    headers: Message
    body: bytes
    expires: float | None

    @property
    def text(self) -> str:
        """The body as text."""
        try:
            return self.body.decode(self.headers.get_content_charset("utf-8"), errors="replace")
        except LookupError:
            return self.body.decode(errors="replace")

    @property
    def location(self) -> str:
        """Where it redirects to, if it does."""
        return str(self.headers.get("Location", "")) if self.status in REDIRECTS else ""

    def seen(self) -> str:
        """The answer in a few words."""
        target = f"to {self.location}, " if self.location else ""
        return f"{self.status} ({target}{excerpt(self.text, self.reason or 'no body')})"


def request(
    method: str, url: str, headers: Mapping[str, str], deadline: Deadline, *, validate_certs: bool = True
) -> Reply:
    """The answer to one request without a body; redirects are not followed.

    A Host header is also the name that TLS asks for and verifies. Raises Unhealthy when there is no answer that makes
    sense: as an outage when nobody answers, or not to the end.
    """
    connection: Connection | None = None
    try:
        parts = urlsplit(url)
        connection = _connected(parts, headers, deadline, validate_certs)
        return _talk(connection, method, parts, headers)
    except TIMED_OUT:
        raise Unhealthy(_too_late(url, connection, deadline), outage=True) from None
    except OSError as error:
        # A server with a wrong certificate is there, and no older answer may hide it.
        outage = not isinstance(error, ssl.SSLCertVerificationError)
        raise Unhealthy(f"no answer from {url}: {why(error)}", outage=outage) from error
    except (HTTPException, ValueError) as error:
        what = excerpt(str(error), type(error).__name__)
        raise Unhealthy(f"{url} did not answer in proper HTTP: {what}") from error
    finally:
        if connection is not None:
            connection.close()


def origin(parts: SplitResult) -> tuple[str, str | None, int]:
    """What makes a server the same (RFC 6454, 4)."""
    return parts.scheme, parts.hostname, port_of(parts)


def throttled(reply: Reply, now: float) -> Unhealthy:
    """What a check says of a 429 at the time `now`: a warning, in which an older answer may stand in."""
    wait = retry_after(str(reply.headers.get("Retry-After", "")), now)
    until = f"; it wants to be left alone for {wait:.0f} s" if wait else ""
    said = f"{reply.url} has been asked too often (429){until}"
    return Unhealthy(said, status=WARN, verdict="throttled", outage=True, retry_after=wait)


def retry_after(value: str, now: float) -> float:
    """The seconds that a Retry-After asks for, a number or a date (RFC 9110, 10.2.3); 0 for what is neither."""
    value = value.strip()
    try:
        wait = float(value) if value.isascii() and value.isdecimal() else _moment(value) - now
    except (TypeError, ValueError, OverflowError, IndexError):
        return 0.0
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


def _moment(value: str) -> float:
    """The seconds since 1970 of a date; each of its forms is in UTC (RFC 9110, 5.6.7), whether or not it says so."""
    moment = parsedate_to_datetime(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _connected(parts: SplitResult, headers: Mapping[str, str], deadline: Deadline, validate_certs: bool) -> Connection:
    connection = connect(str(parts.hostname), port_of(parts), deadline)
    try:
        return secured(connection, parts, headers, validate_certs)
    except BaseException:
        connection.close()
        raise


def secured(
    connection: TimedSocket, parts: SplitResult, headers: Mapping[str, str], validate_certs: bool = True
) -> Connection:
    """The connection as the scheme of a URL wants it. A Host header is the name that TLS asks for and verifies."""
    if parts.scheme == "http":
        return connection
    host = next((value for name, value in headers.items() if name.lower() == "host"), "")
    return secure(connection, tls_context(validate_certs), urlsplit(f"//{host}").hostname or str(parts.hostname))


def tls_context(validate_certs: bool) -> ssl.SSLContext:
    """What TLS insists on."""
    context = ssl.create_default_context()
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def send(
    connection: Connection, method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes | None = None
) -> HTTPResponse:
    """Send a request; the answer, whose body is yet to be read. All of it keeps to the connection's deadline.

    Raises OSError, TIMED_OUT included, HTTPException or ValueError.
    """
    connection.settimeout(connection.deadline.left())
    client = HTTPConnection(str(parts.hostname), port_of(parts))
    client.default_port = _DEFAULT_PORTS[parts.scheme]  # the one that the Host header leaves out
    client.sock = connection
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?[]") if parts.query else ""
    client.request(method, path + query, body, {"User-Agent": "holdfast", "Connection": "close", **headers})
    return client.getresponse()


def basic_login(options: Mapping[str, Any]) -> dict[str, str]:
    """The header of a basic login (RFC 7617) by `login_user` and `login_password`; none without a user."""
    if options["login_user"] is None:
        return {}
    pair = f"{options['login_user']}:{options['login_password'] or ''}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _talk(connection: Connection, method: str, parts: SplitResult, headers: Mapping[str, str]) -> Reply:
    expires = _expires(connection)
    with send(connection, method, parts, headers) as response:
        body = _body(response)
        return Reply(parts.geturl(), response.status, response.reason, response.headers, body, expires)


def _expires(connection: Connection) -> float | None:
    """When the certificate expires; None where there is none, or none was verified (ssl, "getpeercert")."""
    certificate = connection.getpeercert() if isinstance(connection, TimedTLSSocket) else None
    return ssl.cert_time_to_seconds(str(certificate["notAfter"])) if certificate else None


def _body(response: HTTPResponse) -> bytes:
    """The body, or its first MiB. Raises Unhealthy when it broke off before its announced end."""
    try:
        body = response.read(_BODY_LIMIT)
    except IncompleteRead as error:
        raise Unhealthy(f"the body broke off after {len(error.partial)} bytes", outage=True) from error
    if response.length and len(body) < _BODY_LIMIT:
        said = f"the body broke off after {len(body)} bytes, {response.length} bytes before its end"
        raise Unhealthy(said, outage=True)
    return body


def port_of(parts: SplitResult) -> int:
    """The port of a URL, that of its scheme where it names none."""
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def _too_late(url: str, connection: Connection | None, deadline: Deadline) -> str:
    limit = f"within {deadline.seconds:g} s"
    if connection is None:
        return f"no connection to {url} {limit}"
    if not connection.received:
        return f"no answer from {url} {limit}"
    return f"the answer from {url} did not end {limit}; {connection.received} bytes of it came"
