"""A real browser without a window, which tells how it shows a page."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

# What the browser tells of a page: widths in CSS pixels, and of each bar its colour and box.
_MEASURE = """
<script>
const found = {
  inner: window.innerWidth,
  scroll: document.documentElement.scrollWidth,
  background: getComputedStyle(document.body).backgroundColor,
  badge: getComputedStyle(document.querySelector('.badge')).color,
  text: document.body.innerText,
  scripts: document.scripts.length - 1,
  sections: [...document.querySelectorAll('section')].map(one => ({
    name: one.querySelector('h2').innerText,
    width: one.getBoundingClientRect().width,
    bars: [...one.querySelectorAll('rect')].map(bar => ({
      colour: getComputedStyle(bar).fill, title: bar.textContent, width: bar.getBoundingClientRect().width,
    })),
  })),
};
document.body.innerHTML = '';
const pre = document.createElement('pre');
pre.id = 'measured';
pre.textContent = JSON.stringify(found);
document.body.append(pre);
</script>
"""


def chromium(address: str, *options: str) -> str:
    """Have Chromium show an address; returns what it prints."""
    with tempfile.TemporaryDirectory(prefix="holdfast-browser-") as profile:
        # Its sandbox does not take root, and there is no display or GPU.
        argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        argv += ["--disable-dev-shm-usage", f"--user-data-dir={profile}", *options, address]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def measured(page: str, folder: Path, width: int, height: int, *, dark: bool = False) -> dict[str, Any]:
    """How a page is laid out in a window of a size."""
    copy = folder / f"measured-{width}-{dark}.html"
    copy.write_text(page.replace("</body>", _MEASURE + "</body>"))
    options = ["--dump-dom", f"--window-size={width},{height}"]
    # Chromium, ui/native_theme: what a page is told that its user prefers.
    options += ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    dom = chromium(copy.as_uri(), *options)
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    assert found, dom
    result: dict[str, Any] = json.loads(unescape(found[1]))
    return result
