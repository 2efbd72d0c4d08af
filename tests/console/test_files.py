"""Templates and static files keep the rules that no page can break at run time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OWN = sorted(path for name in ("console", "docs") for path in (ROOT / "static" / name).iterdir())

#: What a strict Content-Security-Policy forbids, and what would trust a model's text.
FORBIDDEN = re.compile(
    r"""\sstyle\s*=|\son[a-z]+\s*=|hx-on|["']js:|javascript:|<style|<script(?![^>]*\ssrc=)"""
    r"""|\|\s*safe\b|autoescape|mark_safe""",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_inline(path):
    assert FORBIDDEN.findall(path.read_text()) == []
    get_template(str(path.relative_to(ROOT / "templates")))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_fragment_says_what_it_shows(path):
    if path.name.startswith("_"):
        assert path.read_text().startswith("{#")


def test_only_the_markdown_module_vouches_for_html():
    trusting = re.compile(r"mark_safe\(|SafeString\(")
    found = {
        path.name for path in (ROOT / "runs").rglob("*.py") if trusting.search(path.read_text())
    }
    assert found <= {"markdown.py", "text.py", "tags.py", "render.py"}


def test_nothing_is_fetched_from_elsewhere():
    for path in [*TEMPLATES, *OWN]:
        for address in re.findall(r"https?://[\w.-]+", path.read_text()):
            assert address == "http://www.w3.org", f"{path.name}: {address}"


def test_vendored_files_are_the_listed_ones():
    done = subprocess.run(
        [sys.executable, "tools/vendor.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
