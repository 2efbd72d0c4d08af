"""axe, and the looks in which every page is shown to it.

A test marked ``every_look`` has a fixture ``open_page``: a page in each theme, on a phone
and on a desktop.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).resolve().parent / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}


def complaints(page: Page) -> list[str]:
    """What axe finds on the page as it is."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        # Preloading would fetch style sheets anew and put them into the page, against its policy.
        "tags => axe.run({runOnly: {type: 'tag', values: tags}, preload: false})",
        TAGS,
    )
    return [
        f"{page.url} {violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """Whether the page is wider than its window."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [f"{page.url} is {wide} px too wide"] if wide > 0 else []


every_look = pytest.mark.parametrize(
    "open_page",
    [(size, theme) for size in SIZES for theme in ("light", "dark")],
    indirect=True,
    ids=lambda look: "-".join(look),
)
