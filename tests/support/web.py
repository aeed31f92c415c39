"""Throw-away nginx and php-fpm that serve an application's `current`, as production servers do."""

from __future__ import annotations

import contextlib
import getpass
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .nginx import nginx
from .processes import free_port, running

_FPM = """
[global]
daemonize = no
error_log = {folder}/fpm.log
[www]
user = {user}
group = {user}
listen = {folder}/fpm.sock
listen.owner = {user}
pm = static
pm.max_children = {workers}
catch_workers_output = yes
"""

# $realpath_root follows the link at each request, so that a switch needs no reload
# (https://nginx.org/en/docs/http/ngx_http_core_module.html#var_realpath_root).
_SERVER = """
  server {{
    listen 127.0.0.1:{port};
    root {current}/public;
    location / {{
      fastcgi_pass unix:{folder}/fpm.sock;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $realpath_root/index.php;
      fastcgi_param SCRIPT_NAME /index.php;
      fastcgi_param DOCUMENT_ROOT $realpath_root;
    }}
  }}
"""


@dataclass(frozen=True)
class Web:
    """A running web server."""

    port: int

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of an answer; text where it is no JSON."""
        return self._ask(urllib.request.Request(self.url(path)))

    def post(self, path: str, **fields: str) -> tuple[int, Any]:
        """Send a form."""
        return self._ask(urllib.request.Request(self.url(path), data=urllib.parse.urlencode(fields).encode()))

    def send(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        """Send a body as it is; the headers' names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask(urllib.request.Request(self.url(path), data=body, headers=named))

    @staticmethod
    def _ask(request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                status, body = answer.code, answer.read()
        with contextlib.suppress(ValueError):
            return status, json.loads(body)
        return status, body.decode(errors="replace")


@contextlib.contextmanager
def web(folder: Path, current: Path, workers: int = 4) -> Iterator[Web]:
    """nginx and php-fpm in a folder, serving what the link `current` points at."""
    user = getpass.getuser()
    server = Web(free_port())
    (folder / "fpm.conf").write_text(_FPM.format(folder=folder, user=user, workers=workers))
    shown = _SERVER.format(folder=folder, port=server.port, current=current)
    program = next(Path("/usr/sbin").glob("php-fpm*"))
    fpm = [str(program), "-F", "-y", str(folder / "fpm.conf"), *(["-R"] if user == "root" else [])]
    with (
        running(fpm, folder / "fpm.out", (folder / "fpm.sock").exists),
        nginx(folder, shown, [server.port]),
    ):
        yield server
