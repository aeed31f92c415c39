"""The receiver that the documentation shows is the one that is tested."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```php\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)
FILES = [
    "database/migrations/2026_01_02_000000_create_webhook_tables.php",
    "app/Http/Controllers/StripeWebhookController.php",
    "app/Models/Subscription.php",
]


@pytest.mark.parametrize(("shown", "name"), list(zip(BLOCKS, FILES, strict=True)), ids=FILES)
def test_the_documentation_shows_what_is_tested(shown, name):
    tested = (ROOT / "tests/fixtures/laravel" / name).read_text()
    assert any(textwrap.indent(shown, " " * width) in tested for width in (0, 4, 8))
