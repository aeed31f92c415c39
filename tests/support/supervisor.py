"""A throw-away supervisord."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from .processes import running

_CONFIG = """
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
[unix_http_server]
file = {folder}/supervisor.sock
[supervisorctl]
serverurl = unix://{folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""


@contextlib.contextmanager
def supervisor(folder: Path, programs: Mapping[str, Mapping[str, str]], more: str = "") -> Iterator[Path]:
    """A supervisord with these programs, and more of its configuration; gives the path of that."""
    config = folder / "supervisord.conf"
    text = _CONFIG.format(folder=folder)
    for name, settings in programs.items():
        text += f"[program:{name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())
    config.write_text(text + more)
    argv = ["/usr/bin/supervisord", "-c", str(config)]
    with running(argv, folder / "supervisord.out", (folder / "supervisor.sock").exists):
        yield config
