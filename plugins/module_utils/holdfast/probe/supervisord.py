# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking supervisord over XML-RPC (Supervisor's manual, "XML-RPC API Documentation")."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from .checks import Unhealthy, excerpt
from .deadline import TIMED_OUT, Deadline, TimedSocket, connect, connect_unix, why
from .web import basic_login, port_of, send

# Debian's and the manual's place, and that of Fedora's EPEL.
SOCKETS = ("/run/supervisor.sock", "/var/run/supervisor.sock", "/run/supervisor/supervisor.sock")
RUNNING, STARTING, STOPPING, EXITED = "RUNNING", "STARTING", "STOPPING", "EXITED"

_BODY_LIMIT = 1 << 23
_LAST_SECOND = 2**31 - 1  # what XML-RPC's integers hold; Supervisor gives no later time


@dataclass(frozen=True)
class Program:
    """A process that supervisord looks after. `started` is in seconds since 1970, 0 for never; so is `now`.

    `pid` is 0 while it does not run. `said` is supervisord's word on why it does not.
    """

    group: str
    name: str
    state: str
    pid: int
    started: int
    now: int
    exit_status: int
    said: str

    @property
    def full_name(self) -> str:
        """Its name as supervisorctl gives it."""
        return self.name if self.name == self.group else f"{self.group}:{self.name}"

    @property
    def uptime(self) -> float | None:
        """The seconds that it has run; None when it does not, and from 2038 on."""
        if self.state != RUNNING or self.now >= _LAST_SECOND:
            return None
        return float(max(0, self.now - self.started))


class Supervisor:
    """One supervisord, by the options `socket`, or `url`, and `login_user` and `login_password`."""

    def __init__(self, options: Mapping[str, Any], deadline: Deadline) -> None:
        self._options = options
        self._deadline = deadline
        self._where = options["url"] or options["socket"] or next(filter(_exists, SOCKETS), SOCKETS[0])

    def programs(self) -> list[Program]:
        """All its processes. Raises Unhealthy when it gives none, or is about to end."""
        try:
            state = self._call("supervisor.getState")["statename"]
            if state != RUNNING:
                raise Unhealthy(f"expected Supervisor to be {RUNNING}, it is {_text(state)}")
            return [_program(info) for info in self._call("supervisor.getAllProcessInfo")]
        except (LookupError, TypeError, ValueError) as error:
            raise self._senseless(error) from error

    def _call(self, method: str) -> Any:
        """What a method returns; each call has a connection of its own, all have one deadline."""
        with self._connect() as connection:
            try:
                body = self._post(connection, xmlrpc.client.dumps((), method))
                return _value(body)
            except TIMED_OUT:
                raise TimeoutError from None
            except OSError as error:
                raise Unhealthy(f"Supervisor at {self._where} broke off: {why(error)}", outage=True) from error
            except xmlrpc.client.Fault as error:
                raise Unhealthy(f"Supervisor refused {method}: {excerpt(error.faultString)}") from error
            except (HTTPException, ExpatError, xmlrpc.client.Error, ValueError, LookupError, TypeError) as error:
                raise self._senseless(error) from error

    def _connect(self) -> TimedSocket:
        try:
            if self._options["url"] is None:
                return connect_unix(self._where, self._deadline)
            parts = urlsplit(self._where)
            return connect(str(parts.hostname), port_of(parts), self._deadline)
        except TIMED_OUT:
            raise TimeoutError from None
        except OSError as error:
            # Of a socket on this machine no older answer helps: supervisord does not run, or not for us.
            remote = self._options["url"] is not None
            raise Unhealthy(f"no answer from Supervisor at {self._where}: {why(error)}", outage=remote) from error

    def _post(self, connection: TimedSocket, body: str) -> bytes:
        parts = urlsplit(self._options["url"] or "http://localhost")._replace(path="/RPC2", query="")
        headers = {"Content-Type": "text/xml", **basic_login(self._options)}
        with send(connection, "POST", parts, headers, body.encode()) as response:
            if response.status == 401:
                raise Unhealthy(f"Supervisor at {self._where} refuses the login (401)")
            answer = response.read(_BODY_LIMIT + 1)
            if response.status != 200 or len(answer) > _BODY_LIMIT:
                size = f", {_BODY_LIMIT} bytes or more" if len(answer) > _BODY_LIMIT else ""
                raise HTTPException(f"status {response.status}{size}")
            return answer

    def _senseless(self, error: Exception) -> Unhealthy:
        what = excerpt(str(error), type(error).__name__)
        return Unhealthy(f"{self._where} did not answer as Supervisor does: {what}")


def _exists(path: str) -> bool:
    return Path(path).exists()


def _value(body: bytes) -> Any:
    text = body.decode()
    if "<!" in text:  # XML-RPC needs no DTD; one may have entities that fill the memory
        raise ValueError("its XML has a declaration")
    return xmlrpc.client.loads(text)[0][0]


def _program(info: Mapping[str, Any]) -> Program:
    return Program(
        group=_text(info["group"]),
        name=_text(info["name"]),
        state=_text(info["statename"]),
        pid=int(info["pid"]),
        started=int(info["start"]),
        now=int(info["now"]),
        exit_status=int(info["exitstatus"]),
        said=_text(info["spawnerr"] or info["description"]),
    )


def _text(value: Any) -> str:
    return excerpt(str(value), "")
