"""A throw-away dnsmasq, and a name server that misbehaves."""

from __future__ import annotations

import contextlib
import getpass
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .processes import answers, free_port, running


@contextlib.contextmanager
def dnsmasq(folder: Path, records: Sequence[str]) -> Iterator[int]:
    """The port of the loopback at which dnsmasq answers for the names below `test`; the records are options of it."""
    port = free_port()
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--log-facility=-"]
    argv += [f"--user={getpass.getuser()}", "--no-resolv", "--no-hosts", "--local=/test/"]
    argv += [f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", *records]
    with running(argv, folder / "dnsmasq.log", lambda: answers(port)):
        yield port


@contextlib.contextmanager
def bad_nameserver(answer: Callable[[bytes], Sequence[bytes]]) -> Iterator[int]:
    """The port of a name server that sends to each query what `answer` makes of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            query, client = server.recvfrom(65535)
            while query:
                for message in answer(query):
                    server.sendto(message, client)
                query, client = server.recvfrom(65535)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.sendto(b"", server.getsockname())  # the sign to stop
            thread.join()
