"""Watches all processes for secrets in their arguments and environment, from a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_WATCH = r"""
import json, os, select, sys
secrets = [one.encode() for one in json.loads(sys.stdin.readline())]
own = {os.getpid(), os.getppid()}

def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as handle:
            return handle.read().replace(b"\0", b" ").strip()
    except OSError:
        return b"(gone)"

seen = set()
print("watching", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) in own:
            continue
        for part in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{part}", "rb") as handle:
                    text = handle.read()
            except OSError:
                continue
            for secret in secrets:
                if secret in text:
                    seen.add((part, words_of(pid).replace(secret, b"SECRET").decode(errors="replace")))
print(json.dumps(sorted(seen)), flush=True)
"""


class LeakWatcher:
    """From start to end of a block, samples every process as fast as it can; `seen` lists what it caught."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = list(secrets)
        self.seen: list[list[str]] = []

    def __enter__(self) -> LeakWatcher:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(self._secrets) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "watching\n"
        return self

    def __exit__(self, *_: object) -> None:
        output, _ = self._process.communicate()
        self.seen = json.loads(output)


def files_with(secret: str, folder: Path) -> list[str]:
    """The files below a folder that hold a secret."""
    return [
        str(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
        and secret.encode() in path.read_bytes()
    ]  # fmt: skip
