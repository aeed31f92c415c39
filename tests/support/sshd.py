"""A throw-away sshd, and how Ansible reaches this machine through it."""

from __future__ import annotations

import contextlib
import getpass
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import answers, free_port, running


@dataclass(frozen=True)
class Sshd:
    """A running server that lets the current user in by a key of this run."""

    folder: Path
    port: int

    def inventory_vars(self) -> dict[str, Any]:
        """Host variables with which Ansible comes in."""
        known = self.folder / "known_hosts"
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={known}",
            "ansible_python_interpreter": sys.executable,
        }


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """A server in a folder, on a free port of the loopback."""
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_bytes((folder / "key.pub").read_bytes())
    server = Sshd(folder, free_port())
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it when it is root's
    settings = [
        f"Port {server.port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        f"PidFile {folder}/pid",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        "MaxSessions 50",
    ]
    (folder / "config").write_text("\n".join(settings) + "\n")
    argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
    with running(argv, folder / "log", lambda: answers(server.port)):
        yield server
