"""The help lists the keys that there are."""

import re
from pathlib import Path

from django.conf import settings

from runs.console.shortcuts import GROUPS

#: What the browser, or a script without an element of its own, does: tests/browser/test_keys.py.
SCRIPTED = {"Ctrl+K", "Ctrl+Enter", "Enter", "j", "↓", "k", "↑", "x"}


def test_each_key_of_the_help_belongs_to_an_element_and_each_element_stands_in_the_help():
    templates = Path(settings.BASE_DIR, "templates").rglob("*.html")
    keys = set(re.findall(r'data-key="([^"]+)"', "".join(one.read_text() for one in templates)))
    told = set()
    for _, shortcuts in GROUPS:
        for shortcut in shortcuts:
            several = [shortcut.keys] if shortcut.keys.startswith("g ") else shortcut.keys.split()
            told |= {key.removeprefix("Shift+") for key in several} - {"or"}
    assert keys == {"Escape" if key == "Esc" else key for key in told - SCRIPTED}
