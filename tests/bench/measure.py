"""Timing side by side: every contender in turn, several times over, the best time of each."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Contender = Callable[[], object]


def machine() -> str:
    """What the figures were measured on."""
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpu = model.split(":", 1)[1].strip()
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, {system}"


def race(contenders: Mapping[str, Contender], rounds: int) -> dict[str, float]:
    """The best time of each contender, in seconds. They take turns, so that a noisy moment hits all of them."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender()
            took = time.perf_counter() - started
            best[name] = min(took, best.get(name, took))
            print(f"  {name}: {took:.2f} s", flush=True)
    return best


def report(title: str, best: Mapping[str, float], ours: str) -> None:
    """Print each time, and ours as a ratio of it."""
    print(f"\n{title}\n{machine()}")
    width = max(map(len, best))
    for name, seconds in best.items():
        print(f"  {name:{width}}  {seconds:7.2f} s   ours takes {best[ours] / seconds:.2f} times as long")
