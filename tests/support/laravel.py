"""The Laravel application of tests/fixtures/laravel, as a repository that grows version by version."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "laravel"
APP_KEY = "base64:" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

ADDS_DATA = """
        DB::statement("ALTER TABLE orders ADD COLUMN currency VARCHAR(3) DEFAULT 'EUR'");
        DB::table('orders')->insert(['customer' => 'from the migration', 'amount_cents' => 1]);
"""
BREAKS_HALFWAY = """
        DB::statement('ALTER TABLE orders DROP COLUMN note');
        DB::table('orders')->where('id', '>', 1)->delete();
        DB::statement('CREATE TABLE left_over (x INTEGER)');
        throw new RuntimeException('broken on purpose');
"""
# $withinTransaction: what ran before the exception stays, as it does on servers without transactional DDL.
_MIGRATION = """<?php

use Illuminate\\Database\\Migrations\\Migration;
use Illuminate\\Support\\Facades\\DB;

return new class extends Migration
{{
    public $withinTransaction = false;

    public function up()
    {{{up}    }}
}};
"""
_HEALTHY = "'status' => 'ok',"
_SICK = "'status' => abort(500, 'sick on purpose'),"


def env_file(engine: str, **settings: object) -> str:
    """The text of .env."""
    driver = {"sqlite": "sqlite", "mysql": "mysql", "postgresql": "pgsql"}[engine]
    lines = {"APP_KEY": APP_KEY, "DB_CONNECTION": driver, **settings}
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$"})  # as vlucas/phpdotenv reads them
    quoted = {name: str(value).translate(escapes) for name, value in lines.items()}
    return "".join(f'{name}="{value}"\n' for name, value in quoted.items())


class LaravelSource:
    """A git repository with the application."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._migrations = 0
        shutil.copytree(FIXTURE, folder)
        self._git("init", "--quiet", "--initial-branch=main")
        self.commit("version 1")

    def _git(self, *words: str) -> str:
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        done = subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD")

    def release(self, version: str, *, migration: str | None = None, healthy: bool = True) -> str:
        """Commit a further version; returns the commit."""
        (self.folder / "VERSION").write_text(version + "\n")
        controller = self.folder / "app/Http/Controllers/OrderController.php"
        text = controller.read_text().replace(_SICK, _HEALTHY)
        controller.write_text(text if healthy else text.replace(_HEALTHY, _SICK))
        if migration:
            self._migrations += 1
            file = self.folder / f"database/migrations/2030_01_01_{self._migrations:06}_change.php"
            file.write_text(_MIGRATION.format(up=migration))
        return self.commit(f"version {version}")

    def without_last_migration(self) -> None:
        """Take the last migration out again."""
        (self.folder / f"database/migrations/2030_01_01_{self._migrations:06}_change.php").unlink()
