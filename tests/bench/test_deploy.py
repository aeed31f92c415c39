"""A whole deploy over SSH, with backup and health gate, against a plain swap of the code, in the same run.

pytest -s tests/bench/test_deploy.py
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measure import race, report
from support.playbook import run_playbook
from support.site import Site, laravel_site
from support.sshd import Sshd

ROUNDS = 4
OURS = "deploy.yml, verified backup and health gate"
CODE_SWAP = str(Path(__file__).with_name("code_swap.yml"))


def swap(site: Site) -> None:
    variables = {**site.variables, "deploy_source_ref": "main", "deploy_path": f"{site.path}-swap"}
    ended = run_playbook(CODE_SWAP, site.hosts, variables)
    assert ended.rc == 0, ended.output


def deploy(site: Site) -> None:
    ended = site.deploy()
    assert ended.rc == 0, ended.output


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
def test_deploy(engine: str, request: pytest.FixtureRequest, tmp_path: Path, ssh_server: Sshd) -> None:
    with laravel_site(engine, request, tmp_path, ssh_server) as site:
        deploy(site)
        other = Path(f"{site.path}-swap/shared")
        other.mkdir(parents=True)
        (other / ".env").write_text((site.path / "shared/.env").read_text())
        swap(site)
        best = race({"code swap of 40 tasks": lambda: swap(site), OURS: lambda: deploy(site)}, ROUNDS)
    report(f"Laravel on {engine}, no migration", best, OURS)
