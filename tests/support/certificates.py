"""A certificate authority of our own, certificates by it, and a throw-away nginx that shows them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .nginx import nginx
from .processes import free_port

_SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pem};
    ssl_certificate_key {key};
    ssl_protocols {protocols};
    return 200 "all is well";
  }}
"""


@dataclass(frozen=True)
class Authority:
    """The authority; whose certificate is at `pem`."""

    folder: Path
    pem: Path

    def issue(self, subject: str, names: str = "", days: int = 60, key: str = "ec") -> Path:
        """A new certificate as a PEM file, with its key in a file beside it that ends in .key.

        `names` are written as OpenSSL has them: DNS:shop.example.com,IP:127.0.0.1.
        """
        path = self.folder / f"issued-{len(list(self.folder.glob('issued-*.pem')))}.pem"
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if key == "ec" else [key]
        _openssl("req", "-newkey", *kind, "-nodes", "-utf8", "-subj", subject, *_out(path, ".key", ".csr"))
        extensions = path.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        signed_by = ["-CA", self.pem, "-CAkey", self.pem.with_suffix(".key"), "-CAcreateserial"]
        csr = path.with_suffix(".csr")
        _openssl("x509", "-req", "-in", csr, *signed_by, "-days", days, "-extfile", extensions, "-out", path)
        return path


def authority(folder: Path) -> Authority:
    """A new one in an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pem = folder / "ca.pem"
    subject = "/CN=Trust Me/O=Holdfast Tests"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", subject, *_out(pem, ".key", ".pem"))
    return Authority(folder, pem)


@contextlib.contextmanager
def tls_servers(folder: Path, certificates: Sequence[Path], protocols: str = "TLSv1.2 TLSv1.3") -> Iterator[list[int]]:
    """The ports of the loopback on which nginx shows these certificates."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [free_port() for _ in certificates]
    servers = "".join(
        _SERVER.format(port=port, pem=pem, key=pem.with_suffix(".key"), protocols=protocols)
        for port, pem in zip(ports, certificates)
    )
    with nginx(folder, servers, ports):
        yield ports


def _out(path: Path, key: str, made: str) -> list[str]:
    return ["-keyout", str(path.with_suffix(key)), "-out", str(path.with_suffix(made))]


def _openssl(*words: object) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
