# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a web server answers as it should, through the maintenance page where there is a way."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from .. import options as opt
from ..checks import CheckType, Look, Measure, Option, Seen, Unhealthy, excerpt, same
from ..deadline import Deadline
from ..web import TOO_MANY_REQUESTS, Reply, basic_login, origin, request, throttled
from ..x509 import CERTIFICATE_DAYS, certificate_days

_REDIRECTS = 10
_NOTHING = object()


class _Browser:
    """Asks for URLs on behalf of one check, in the time that the check has, and keeps its server's cookies."""

    def __init__(self, options: Mapping[str, Any], deadline: Deadline) -> None:
        self._options = options
        self._deadline = deadline
        self._origin = origin(urlsplit(options["url"]))
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, url: str) -> Reply:
        """The answer to one request. Raises Unhealthy when there is none that makes sense."""
        parts = urlsplit(url)
        validate = self._options["validate_certs"]
        reply = request(method, url, self._headers(parts), self._deadline, validate_certs=validate)
        if origin(parts) == self._origin:
            self._keep_cookies(reply)
        return reply

    def follow(self, answer: Reply, method: str) -> Reply:
        """The answer at the end of the redirects. Raises Unhealthy when there is no end."""
        for _ in range(_REDIRECTS):
            if not answer.location:
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

    def _headers(self, parts: SplitResult) -> dict[str, str]:
        """The headers to send. Those of the check, and its cookies, are for its own server only."""
        if origin(parts) != self._origin:
            return {}
        headers = {**self._options["headers"], **basic_login(self._options)}
        if self._cookies:
            given = [value for name, value in headers.items() if name.lower() == "cookie"]
            headers = {name: value for name, value in headers.items() if name.lower() != "cookie"}
            headers["Cookie"] = "; ".join([*given, *(f"{name}={value}" for name, value in self._cookies.items())])
        return headers

    def _keep_cookies(self, reply: Reply) -> None:
        """Keep name and value of each cookie. Its domain and `secure` do not count: a probe often comes by the
        loopback, where a browser would withhold what the application set for its public name."""
        for header in reply.headers.get_all("Set-Cookie", []):
            name, equals, value = str(header).split(";", 1)[0].partition("=")
            if equals and name.strip():
                self._cookies[name.strip()] = value.strip()


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
        if answer.status == TOO_MANY_REQUESTS:
            raise throttled(answer, look.now)
        wanted = " or ".join(map(str, options["status"]))
        hint = f"; its bypass path had answered {bypass.status}" if bypass and bypass.status >= 400 else ""
        raise Unhealthy(f"expected status {wanted}, got {answer.seen()}{hint}", outage=answer.status >= 500)
    _insist_on_body(options, answer.text)
    values: dict[str, float] = {"body_bytes": len(answer.body)}
    if answer.expires is not None:
        values.update(certificate_days(answer.expires, look.now))
    return Seen(f"status {answer.status}", values)


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
    measures={
        **CERTIFICATE_DAYS,
        "body_bytes": Measure("bytes", lower_is_worse=True),
    },
)
