"""The smallest application that can be deployed: text files, a SQLite database, a migration in one line of shell."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .playbook import Ended, run_playbook

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@dataclass
class PlainApp:
    """Its code in a folder, its place on this machine, and its variables."""

    source: Path
    path: Path

    @classmethod
    def make(cls, folder: Path) -> PlainApp:
        """A first version in a new place."""
        app = cls(folder / "source", folder / "srv")
        app.source.mkdir(parents=True)
        app.path.mkdir()
        with closing(sqlite3.connect(app.database)) as connection:
            connection.executescript("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('kept')")
        app.version("1")
        return app

    def version(self, version: str, *, healthy: bool = True, migration: str = "") -> None:
        """Write the next version of the code."""
        (self.source / "VERSION").write_text(version)
        (self.source / "HEALTH").write_text("good" if healthy else "bad")
        (self.source / "migration.sql").write_text(migration)

    @property
    def database(self) -> Path:
        return self.path / "data.sqlite"

    def variables(self, **more: Any) -> dict[str, Any]:
        """What the role is told."""
        return {
            "deploy_app": "plain",
            "deploy_path": str(self.path),
            "deploy_source": "directory",
            "deploy_source_location": str(self.source),
            "deploy_pending_command": "cat migration.sql",
            "deploy_migrate_command": f"sqlite3 -bail {self.database} '.read migration.sql'",
            "deploy_db_engine": "sqlite",
            "deploy_db_database": str(self.database),
            "deploy_health_checks": [
                {"name": "app", "type": "command", "command": f"grep -q good {self.path}/current/HEALTH"}
            ],
            "deploy_health_successes": 1,
            "deploy_health_timeout": 0,
            **more,
        }

    def deploy(self, *extra: str, **more: Any) -> Ended:
        """Deploy to this machine."""
        return run_playbook("deploy.yml", {"web1": LOCAL}, self.variables(**more), *extra)

    @property
    def live(self) -> str | None:
        """The version that is live."""
        version = self.path / "current/VERSION"
        return version.read_text() if version.exists() else None

    @property
    def rows(self) -> list[str]:
        """What the table holds."""
        with closing(sqlite3.connect(self.database)) as connection:
            return [row[0] for row in connection.execute("SELECT x FROM t ORDER BY rowid")]

    @property
    def releases(self) -> list[str]:
        """The ids of the releases on the disk."""
        folder = self.path / "releases"
        return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def git(folder: Path, *words: str) -> str:
    """Run git as somebody in particular; returns what it says."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "protocol.file.allow=always"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
