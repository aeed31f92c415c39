#!/usr/bin/env python3
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server of the demonstration: orders as JSON on 127.0.0.1, port DEMO_PORT.

SIGTERM ends it after the requests in hand. SIGHUP makes it become the release that `current` points at now:
it keeps the listening socket, so that a request that comes meanwhile waits instead of being refused.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orders
from layout import BYPASS, BYPASS_COOKIE, MAINTENANCE, PORT, RELEASE, VERSION, live_release

RETRY_AFTER_S = 5


class Handler(BaseHTTPRequestHandler):
    """GET /health, GET /orders, POST /orders; during maintenance only for who has the cookie of GET /bypass."""

    server_version = "HoldfastDemo"
    timeout = 5  # seconds; a client that connects and says nothing must not hold up a reload

    def do_GET(self) -> None:
        """Answer /health and /orders."""
        self._answer({"/health": self._health, "/orders": lambda: (200, orders.every())})

    def do_POST(self) -> None:
        """Add the order that the body describes."""
        self._answer({"/orders": self._add})

    def _answer(self, routes: dict[str, Any]) -> None:
        try:
            if self.path == BYPASS:
                self._send(200, {"status": "bypass"}, {"Set-Cookie": f"{BYPASS_COOKIE}; Path=/"})
            elif MAINTENANCE.exists() and BYPASS_COOKIE not in self.headers.get("Cookie", ""):
                self._send(503, {"status": "maintenance"}, {"Retry-After": str(RETRY_AFTER_S)})
            elif self.path in routes:
                self._send(*routes[self.path]())
            else:
                self._send(404, {"error": f"there is no {self.command} {self.path}"})
        except (sqlite3.Error, KeyError, ValueError) as error:
            self._send(500, {"status": "fail", "error": f"{type(error).__name__}: {error}"})

    def _health(self) -> tuple[int, object]:
        rows = len(orders.every())
        return 200, {"status": "pass", "version": VERSION, "release": RELEASE.name, "rows": rows}

    def _add(self) -> tuple[int, object]:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return 201, {"id": orders.add(order["customer"], order["item"], int(order["quantity"]))}

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A server whose listening socket can be inherited, and whose close waits for the requests in hand."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, inherited: int | None) -> None:
        super().__init__(("127.0.0.1", PORT), Handler, bind_and_activate=inherited is None)
        if inherited is not None:
            self.socket.close()
            self.socket = socket.socket(fileno=inherited)


def main() -> None:
    """Serve until a signal says otherwise."""
    inherited = os.environ.pop("DEMO_SOCKET", None)
    server = Server(int(inherited) if inherited else None)
    asked: list[int] = []

    def stop(number: int, _: object) -> None:
        asked.append(number)
        # shutdown() waits for the loop below, which the handler itself holds up: so it needs a thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    server.serve_forever(poll_interval=0.05)
    kept = os.dup(server.fileno())
    server.server_close()
    if signal.SIGTERM not in asked:
        os.set_inheritable(kept, True)
        script = live_release() / "server.py"
        os.chdir(script.parent)
        os.environ["DEMO_SOCKET"] = str(kept)
        os.execv(sys.executable, [sys.executable, str(script)])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
