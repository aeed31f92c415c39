# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each type of check is carried out. Each function returns a sentence on success, and raises Unhealthy."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from .checks import Check, Unhealthy

_BODY_LIMIT = 1 << 20
_EXCERPT = 200


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(options: Mapping[str, Any], *, follow: bool) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if not options["validate_certs"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    handlers: list[Any] = [
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPCookieProcessor(CookieJar()),
    ]
    if not follow:
        handlers.append(_NoRedirect())
    return urllib.request.build_opener(*handlers)


def _headers(options: Mapping[str, Any]) -> dict[str, str]:
    headers = {"User-Agent": "holdfast", **{name: str(value) for name, value in options["headers"].items()}}
    if options["login_user"] is not None:
        pair = f"{options['login_user']}:{options['login_password'] or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    return headers


def check_http(check: Check) -> str:
    """Ask for a URL; with `bypass_path`, first for the cookie that lets through maintenance."""
    options = check.options
    if not options["url"].startswith(("http://", "https://")):
        raise Unhealthy(f"{options['url']} is not an http or https URL")
    opener = _opener(options, follow=options["follow_redirects"])
    try:
        if options["bypass_path"]:
            _ask(opener, check, urljoin(options["url"], options["bypass_path"]))
        status, body = _ask(opener, check, options["url"])
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise Unhealthy(f"no answer from {options['url']}: {getattr(error, 'reason', error)}") from error
    except Exception as error:  # http.client raises its own kinds for answers that are no HTTP
        raise Unhealthy(f"{options['url']} did not answer in HTTP: {error!r}") from error
    _insist_on_status(options["status"], status, body)
    _insist_on_body(options, body)
    return f"status {status}"


def _ask(opener: urllib.request.OpenerDirector, check: Check, url: str) -> tuple[int, str]:
    request = urllib.request.Request(url, method=check.options["method"], headers=_headers(check.options))
    try:
        with opener.open(request, timeout=check.timeout) as answer:
            return answer.status, answer.read(_BODY_LIMIT).decode(errors="replace")
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read(_BODY_LIMIT).decode(errors="replace")


def _insist_on_status(wanted: list[Any], status: int, body: str) -> None:
    if status not in [int(one) for one in wanted]:
        listed = " or ".join(str(one) for one in wanted)
        raise Unhealthy(f"expected status {listed}, got {status} ({_excerpt(body)})")


def _insist_on_body(options: Mapping[str, Any], body: str) -> None:
    if options["body_contains"] is not None and options["body_contains"] not in body:
        raise Unhealthy(f"the body does not contain {options['body_contains']!r} ({_excerpt(body)})")
    if options["body_regex"] is not None and not re.search(options["body_regex"], body):
        raise Unhealthy(f"the body does not match {options['body_regex']!r} ({_excerpt(body)})")
    if options["json"]:
        try:
            value = json.loads(body)
        except ValueError:
            raise Unhealthy(f"the body is not JSON ({_excerpt(body)})") from None
        for path, wanted in options["json"].items():
            seen = _at(value, path)
            if str(seen) != str(wanted):
                raise Unhealthy(f"expected {path} to be {wanted!r}, got {seen!r}")


def _at(value: Any, path: str) -> Any:
    """What lies at a dotted path of keys and list indexes; None when nothing does."""
    for key in path.split("."):
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict):
            value = value.get(key)
        else:
            return None
    return value


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line[:_EXCERPT] + ("..." if len(line) > _EXCERPT else "") or "no body"


def check_tcp(check: Check) -> str:
    """Open a connection."""
    address = (check.options["host"], check.options["port"])
    try:
        socket.create_connection(address, check.timeout).close()
    except OSError as error:
        raise Unhealthy(f"cannot connect to {address[0]} port {address[1]}: {error.strerror or error}") from error
    return f"connected to {address[0]} port {address[1]}"


def check_command(check: Check) -> str:
    """Run a command without a shell; it is killed, with all it started, when its time is over."""
    options = check.options
    words = shlex.split(options["command"]) if isinstance(options["command"], str) else options["command"]
    try:
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=options["chdir"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        raise Unhealthy(f"the command cannot be run: {error}") from error
    try:
        output = process.communicate(timeout=check.timeout)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        _kill_group(process)
        raise Unhealthy(f"the command did not end within {check.timeout:g} s") from None
    if process.returncode not in [int(one) for one in options["exit_status"]]:
        raise Unhealthy(f"the command ended with status {process.returncode} ({_excerpt(output)})")
    if options["output_contains"] is not None and options["output_contains"] not in output:
        raise Unhealthy(f"the output does not contain {options['output_contains']!r} ({_excerpt(output)})")
    return f"status {process.returncode}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def check_database(check: Check) -> str:
    """Log in and put a query; with `expect`, compare the first value of its first row."""
    try:
        seen = _QUERIES[check.options["engine"]](check)
    except KeyError:
        raise Unhealthy(f"unknown engine {check.options['engine']!r}") from None
    except ImportError as error:
        raise Unhealthy(f"the Python library {error.name} is not installed for {sys.executable}") from error
    wanted = check.options["expect"]
    if wanted is not None and str(seen) != str(wanted):
        raise Unhealthy(f"expected the query to give {wanted!r}, got {seen!r}")
    return "answered"


def _query_sqlite(check: Check) -> Any:
    import sqlite3

    path = Path(check.options["database"])
    if not path.is_file():
        raise Unhealthy(f"there is no file {path}")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=check.timeout)
        try:
            row = connection.execute(check.options["query"]).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unhealthy(f"the database {path} refused: {error}") from error
    return row[0] if row else None


def _query_mysql(check: Check) -> Any:
    import pymysql

    options = check.options
    try:
        connection = pymysql.connect(
            host=options["login_host"],
            port=options["login_port"] or 3306,
            user=options["login_user"],
            password=options["login_password"] or "",
            unix_socket=options["login_unix_socket"],
            database=options["database"],
            connect_timeout=max(1, round(check.timeout)),
            read_timeout=check.timeout,
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(options["query"])
                row = cursor.fetchone()
        finally:
            connection.close()
    except (pymysql.MySQLError, OSError) as error:
        raise Unhealthy(f"the database {options['database']} refused: {error}") from error
    return row[0] if row else None


def _query_postgresql(check: Check) -> Any:
    import psycopg

    options = check.options
    try:
        with psycopg.connect(
            host=options["login_unix_socket"] or options["login_host"],
            port=options["login_port"] or 5432,
            user=options["login_user"],
            password=options["login_password"],
            dbname=options["database"],
            connect_timeout=max(2, round(check.timeout)),
            options=f"-c statement_timeout={round(check.timeout * 1000)}",
        ) as connection:
            row = connection.execute(options["query"]).fetchone()
    except psycopg.Error as error:
        raise Unhealthy(f"the database {options['database']} refused: {error}") from error
    return row[0] if row else None


_QUERIES: dict[str, Callable[[Check], Any]] = {
    "sqlite": _query_sqlite,
    "mysql": _query_mysql,
    "postgresql": _query_postgresql,
}

PROBES: dict[str, Callable[[Check], str]] = {
    "http": check_http,
    "tcp": check_tcp,
    "command": check_command,
    "database": check_database,
}
