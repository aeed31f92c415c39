"""Throw-away nginx servers."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator, Sequence
from pathlib import Path

from .processes import answers, running

_CONFIG = """
{as_user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  {servers}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, servers: str, ports: Sequence[int]) -> Iterator[None]:
    """An nginx that keeps to a folder, with `server` blocks that listen on these ports of the loopback."""
    # A master that runs as root would give its workers to nobody, who cannot enter the tests' folder.
    as_user = "user root;" if getpass.getuser() == "root" else ""
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers=servers, as_user=as_user))
    argv = ["/usr/sbin/nginx", "-c", str(config), "-e", str(folder / "nginx.log")]
    with running(argv, folder / "nginx.out", lambda: all(map(answers, ports))):
        yield
