"""A table of orders as a shop has it, of about 1 GB: numbers, names, dates, a random token, and what people write."""

from __future__ import annotations

import random
from pathlib import Path

ROWS = 3_000_000
COLUMNS = (
    "id BIGINT PRIMARY KEY, name VARCHAR(80), email VARCHAR(80), cents INT, made TIMESTAMP, token CHAR(32), note TEXT"
)
_SYLLABLES = ["an", "ber", "cor", "del", "en", "fal", "gri", "hol", "in", "jun", "kel", "lor", "man", "no", "or", "pel"]


def write_orders(path: Path, rows: int = ROWS) -> None:
    """Write the rows, always the same ones, separated by tabs: the format that both servers load fastest."""
    dice = random.Random(1)  # noqa: S311 - the same data each time
    words = ["".join(dice.choices(_SYLLABLES, k=dice.choice((1, 2, 2, 3)))) for _ in range(4000)]
    popularity = [1 / rank for rank in range(1, len(words) + 1)]  # Zipf's law, as in any language
    text = dice.choices(words, popularity, k=1_000_000)
    with open(path, "w") as file:
        for number in range(1, rows + 1):
            start = dice.randrange(len(text) - 60)
            note = " ".join(text[start : start + dice.randrange(15, 50)])
            name = f"{words[dice.randrange(4000)]} {words[dice.randrange(4000)]}"
            made = f"2026-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02} {dice.randrange(4, 24):02}:11:12"
            token = f"{dice.getrandbits(128):032x}"
            email = f"{name.replace(' ', '.')}@example.com"
            file.write(f"{number}\t{name}\t{email}\t{dice.randrange(100_000)}\t{made}\t{token}\t{note}\n")
