"""axe, and the looks in which every page is shown to it.

A test marked ``every_look`` has a fixture ``open_page``: a page on a phone and on a desktop. Each
look at it is one in both themes.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).resolve().parent / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: All rules by light; in the dark those that see colours, for nothing else is different there.
THEMES = {
    "dark": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "light": {"type": "tag", "values": TAGS},
}
#: A colour on its way from one theme to the other would be neither's. It is not waited for: what is
#: out of sight may never arrive.
SETTLED = """
    () => document.getAnimations().filter(one => one instanceof CSSTransition)
        .forEach(one => one.finish())
"""
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}


def complaints(page: Page) -> list[str]:
    """What axe finds on the page as it is, in both themes."""
    page.evaluate(AXE.read_text())
    found = []
    for theme, rules in THEMES.items():
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.evaluate(SETTLED)
        seen: dict[str, Any] = page.evaluate(
            # Preloading would fetch style sheets anew and put them into the page, against its
            # policy.
            "rules => axe.run({runOnly: rules, preload: false})",
            rules,
        )
        found += [
            f"{page.url} {theme} {violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in seen["violations"]
            for node in violation["nodes"]
        ]
    return found


def overflow(page: Page) -> list[str]:
    """Whether the page is wider than its window."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [f"{page.url} is {wide} px too wide"] if wide > 0 else []


every_look = pytest.mark.parametrize("open_page", SIZES, indirect=True)
