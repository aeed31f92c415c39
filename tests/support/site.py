"""A Laravel application on a target, from its repository to its web server, ready to be deployed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .databases import sqlite_content
from .laravel import LaravelSource, env_file
from .playbook import Ended, run_playbook
from .processes import wait_until
from .sshd import Sshd
from .supervisor import supervisor
from .web import Web, web

PASSWORD = "Laravel-S3cret$with 'odd' %signs%"


@dataclass
class Site:
    """An application on a target, from its repository to its web server."""

    engine: str
    path: Path
    source: LaravelSource
    hosts: dict[str, Any]
    variables: dict[str, Any]
    database: Callable[[], dict[str, Any]]
    web: Web

    def deploy(self, ref: str = "main", *extra: str, **variables: Any) -> Ended:
        return run_playbook("deploy.yml", self.hosts, {**self.variables, "deploy_source_ref": ref, **variables}, *extra)

    def play(self, playbook: str, *extra: str, **variables: Any) -> Ended:
        return run_playbook(playbook, self.hosts, {**self.variables, **variables}, *extra)

    @property
    def live(self) -> dict[str, Any]:
        """What the application says of itself."""
        status, body = self.web.get("/health")
        assert status == 200, body
        return body

    def order(self, customer: str) -> int:
        status, body = self.web.post("/orders", customer=customer, amount_cents="100")
        assert status == 201, body
        return body["id"]

    def note_of(self, order: int) -> str | None:
        return next(one["note"] for one in self.web.get("/orders")[1] if one["id"] == order)

    def wait_for_worker(self, order: int, version: str) -> None:
        wait_until(lambda: self.note_of(order) == f"done by {version}", f"order {order} done by version {version}", 30)

    def rows(self) -> dict[str, Any]:
        """All rows and the schema, but for the queue, which a worker empties while we look."""
        return {name: value for name, value in self.database().items() if name not in ("jobs rows", "jobs")}

    def releases(self) -> list[str]:
        return sorted(entry.name for entry in (self.path / "releases").iterdir())

    def in_maintenance(self) -> bool:
        return (self.path / "shared/storage/framework/down").exists()


def login_of(engine: str, request: pytest.FixtureRequest, folder: Path) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """What the role, the application and the test need to reach a new database."""
    name = "laravel_" + secrets.token_hex(4)
    if engine == "sqlite":
        path = folder / "orders.sqlite"
        return {"database": str(path)}, {"DB_DATABASE": path}, lambda: sqlite_content(path)
    server = request.getfixturevalue(f"{'mariadb' if engine == 'mysql' else engine}_server")
    server.create_database(name, "laravel", PASSWORD.replace("'", "''"))
    request.addfinalizer(lambda: server.drop_database(name))
    role = {"database": name, "login_host": "127.0.0.1", "login_port": server.port}
    role |= {"login_user": "laravel", "login_password": PASSWORD}
    application = {"DB_HOST": "127.0.0.1", "DB_PORT": server.port, "DB_DATABASE": name}
    application |= {"DB_USERNAME": "laravel", "DB_PASSWORD": PASSWORD}
    return role, application, lambda: server.content(name)


@contextmanager
def laravel_site(engine: str, request: pytest.FixtureRequest, tmp_path: Path, ssh_server: Sshd) -> Iterator[Site]:
    """A site with nothing deployed yet; its web server and its Supervisor run."""
    path = tmp_path / "srv"
    for folder in (path / "shared", tmp_path / "web", tmp_path / "supervisor"):
        folder.mkdir(parents=True)
    role, application, database = login_of(engine, request, tmp_path)
    (path / "shared/.env").write_text(env_file(engine, **application))
    source = LaravelSource(tmp_path / "source")
    with ExitStack() as stack:
        server = stack.enter_context(web(tmp_path / "web", path / "current"))
        worker = {
            "command": f"php {path}/current/artisan queue:work --sleep=0.2 --tries=1",
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "0",
            "stopwaitsecs": "30",
        }
        config = stack.enter_context(supervisor(tmp_path / "supervisor", {"worker": worker}))
        variables = {
            "deploy_app": "orders",
            "deploy_path": str(path),
            "deploy_source_location": str(source.folder),
            "deploy_preset": "laravel",
            "deploy_supervisor_programs": ["worker"],
            "deploy_supervisor_config": str(config),
            "deploy_db_engine": engine,
            **{f"deploy_db_{name}": value for name, value in role.items()},
            "deploy_health_checks": [{"name": "app", "type": "http", "url": server.url("/health")}],
            "deploy_health_timeout": 4,
            "deploy_health_interval": 0.2,
        }
        yield Site(engine, path, source, {"web1": ssh_server.inventory_vars()}, variables, database, server)
