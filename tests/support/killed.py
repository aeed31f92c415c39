"""Runs that are killed at a point of theirs."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.faults import VARIABLE


def killed_at(point: str, work: Callable[[], Any]) -> bool:
    """Whether the work came to that point, in a process of its own that died there; or else it ended well."""

    def run() -> None:
        os.environ[VARIABLE] = point
        work()

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == -signal.SIGKILL
