# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a web server answers as it should, through the maintenance page where there is a way."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen, Unhealthy, excerpt, same
from ..deadline import Deadline, TimedSocket, TimedTLSSocket, connect, secure, why

_BODY_LIMIT = 1 << 20
_REDIRECTS = 10
_REDIRECT_STATUS = (301, 302, 303, 307, 308)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NOTHING = object()


@dataclass(frozen=True)
class _Answer:
    """A server's answer; of the body, the first MiB."""

    url: str
    status: int
    reason: str
    location: str
    body: str

    def seen(self) -> str:
        """The answer in a few words."""
        target = f"to {self.location}, " if self.location and self.status in _REDIRECT_STATUS else ""
        return f"{self.status} ({target}{excerpt(self.body, self.reason or 'no body')})"


class _Browser:
    """Asks for URLs on behalf of one check, in the time that the check has, and keeps its server's cookies."""

    def __init__(self, options: Mapping[str, Any], deadline: Deadline) -> None:
        self._options = options
        self._deadline = deadline
        self._origin = _origin(urlsplit(options["url"]))
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, url: str) -> _Answer:
        """The answer to one request. Raises Unhealthy when there is none that makes sense."""
        connection: TimedSocket | TimedTLSSocket | None = None
        try:
            parts = urlsplit(url)
            connection = self._connect(parts)
            return self._talk(connection, method, parts)
        except (TimeoutError, socket.timeout):  # two classes before Python 3.10
            raise Unhealthy(self._too_late(url, connection)) from None
        except OSError as error:
            raise Unhealthy(f"no answer from {url}: {why(error)}") from error
        except (HTTPException, ValueError) as error:
            what = excerpt(str(error), type(error).__name__)
            raise Unhealthy(f"{url} did not answer in proper HTTP: {what}") from error
        finally:
            if connection is not None:
                connection.close()

    def follow(self, answer: _Answer, method: str) -> _Answer:
        """The answer at the end of the redirects. Raises Unhealthy when there is no end."""
        for _ in range(_REDIRECTS):
            if answer.status not in _REDIRECT_STATUS or not answer.location:
                return answer
            target = urljoin(answer.url, answer.location)
            try:
                opt.url(target)
            except ValueError as error:
                raise Unhealthy(f"{answer.url} redirects to {target}, which {error}") from None
            # A GET follows all but 307 and 308, as browsers do it (RFC 9110, 15.4).
            method = method if method in ("GET", "HEAD") or answer.status in (307, 308) else "GET"
            answer = self.ask(method, target)
        raise Unhealthy(f"{self._options['url']} redirects more than {_REDIRECTS} times, the last time to {answer.url}")

    def _connect(self, parts: SplitResult) -> TimedSocket | TimedTLSSocket:
        connection = connect(str(parts.hostname), _port(parts), self._deadline)
        if parts.scheme == "http":
            return connection
        try:
            return secure(connection, self._context(), self._name(parts))
        except BaseException:
            connection.close()
            raise

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self._options["validate_certs"]:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _name(self, parts: SplitResult) -> str:
        """The name that TLS asks for: the Host header's where there is one, as a virtual host needs it."""
        host = next((value for name, value in self._headers(parts).items() if name.lower() == "host"), "")
        return urlsplit(f"//{host}").hostname or str(parts.hostname)

    def _headers(self, parts: SplitResult) -> dict[str, str]:
        """The headers to send. Those of the check, and its cookies, are for its own server only."""
        headers = {"User-Agent": "holdfast", "Connection": "close"}
        if _origin(parts) != self._origin:
            return headers
        headers.update(self._options["headers"])
        if self._options["login_user"] is not None:
            pair = f"{self._options['login_user']}:{self._options['login_password'] or ''}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        if self._cookies:
            given = [value for name, value in headers.items() if name.lower() == "cookie"]
            headers = {name: value for name, value in headers.items() if name.lower() != "cookie"}
            headers["Cookie"] = "; ".join([*given, *(f"{name}={value}" for name, value in self._cookies.items())])
        return headers

    def _talk(self, connection: TimedSocket | TimedTLSSocket, method: str, parts: SplitResult) -> _Answer:
        connection.settimeout(self._deadline.left())
        client = HTTPConnection(str(parts.hostname), _port(parts))
        client.default_port = _DEFAULT_PORTS[parts.scheme]  # the one that the Host header leaves out
        client.sock = connection
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?[]") if parts.query else ""
        client.request(method, path + query, headers=self._headers(parts))
        with client.getresponse() as response:
            body = _body(response)
            charset = response.headers.get_content_charset("utf-8")
            if _origin(parts) == self._origin:
                self._keep_cookies(response)
            location = response.headers.get("Location", "")
            return _Answer(parts.geturl(), response.status, response.reason, location, _decode(body, charset))

    def _keep_cookies(self, response: HTTPResponse) -> None:
        """Keep name and value of each cookie. Its domain and `secure` do not count: a probe often comes by the
        loopback, where a browser would withhold what the application set for its public name."""
        for header in response.headers.get_all("Set-Cookie", []):
            name, equals, value = header.split(";", 1)[0].partition("=")
            if equals and name.strip():
                self._cookies[name.strip()] = value.strip()

    def _too_late(self, url: str, connection: TimedSocket | TimedTLSSocket | None) -> str:
        limit = f"within {self._deadline.seconds:g} s"
        if connection is None:
            return f"no connection to {url} {limit}"
        if not connection.received:
            return f"no answer from {url} {limit}"
        return f"the answer from {url} did not end {limit}; {connection.received} bytes of it came"


def _port(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, _port(parts)


def _body(response: HTTPResponse) -> bytes:
    """The body, or its first MiB. Raises Unhealthy when it broke off before its announced end."""
    try:
        body = response.read(_BODY_LIMIT)
    except IncompleteRead as error:
        raise Unhealthy(f"the body broke off after {len(error.partial)} bytes") from error
    if response.length and len(body) < _BODY_LIMIT:
        raise Unhealthy(f"the body broke off after {len(body)} bytes, {response.length} bytes before its end")
    return body


def _decode(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, errors="replace")
    except LookupError:
        return body.decode(errors="replace")


def check_http(look: Look) -> Seen:
    """Ask for a URL; with `bypass_path`, first for the cookie that lets through maintenance."""
    options, deadline = look.options, look.deadline
    browser = _Browser(options, deadline)
    path = options["bypass_path"]
    bypass = browser.ask("GET", urljoin(options["url"], "/" + path.lstrip("/"))) if path else None
    answer = browser.ask(options["method"], options["url"])
    if options["follow_redirects"]:
        answer = browser.follow(answer, options["method"])
    if answer.status not in options["status"]:
        wanted = " or ".join(map(str, options["status"]))
        hint = f"; its bypass path had answered {bypass.status}" if bypass and bypass.status >= 400 else ""
        raise Unhealthy(f"expected status {wanted}, got {answer.seen()}{hint}")
    _insist_on_body(options, answer.body)
    return Seen(f"status {answer.status}")


def _insist_on_body(options: Mapping[str, Any], body: str) -> None:
    seen = excerpt(body, "no body")
    if options["body_contains"] is not None and options["body_contains"] not in body:
        raise Unhealthy(f"expected the body to contain {options['body_contains']!r}, got {seen}")
    if options["body_regex"] is not None and not re.search(options["body_regex"], body):
        raise Unhealthy(f"expected the body to match {options['body_regex']!r}, got {seen}")
    if options["json"]:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise Unhealthy(f"expected JSON, got {seen}") from None
        for path, wanted in options["json"].items():
            _insist_on_value(document, path, wanted)


def _insist_on_value(document: Any, path: str, wanted: Any) -> None:
    value = _at(document, path)
    if value is _NOTHING:
        raise Unhealthy(f"expected {path} to be {wanted!r}, but there is no {path}")
    if not same(value, wanted):
        raise Unhealthy(f"expected {path} to be {wanted!r}, got {excerpt(repr(value))}")


def _at(value: Any, path: str) -> Any:
    """What lies at a dotted path of keys and list indexes; _NOTHING when nothing does."""
    for key in path.split("."):
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return _NOTHING
    return value


HTTP = CheckType(
    options={
        "url": Option(opt.url, required=True),
        "method": Option(opt.choice("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), "GET"),
        "headers": Option(opt.headers, {}),
        "status": Option(opt.integers, [200]),
        "body_contains": Option(opt.text),
        "body_regex": Option(opt.regex),
        "json": Option(opt.mapping, {}),
        "follow_redirects": Option(opt.boolean, False),
        "validate_certs": Option(opt.boolean, True),
        "bypass_path": Option(opt.text, "", secret=True),
        "login_user": Option(opt.text),
        "login_password": Option(opt.text, secret=True),
    },
    run=check_http,
    target=lambda options: str(options["url"]),
    component="component",
)
