"""The documentation names every setting and command, and none that is not there."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
COMMANDS = ROOT / "runs" / "management" / "commands"
LIMIT = 30  # settings; more would be too many to know


def variables() -> set[str]:
    source = (ROOT / "runsite" / "settings.py").read_text()
    environment = (ROOT / "runsite" / "environment.py").read_text()
    return set(
        re.findall(r"\"((?:RUNSITE_[A-Z_]+)|DATABASE_URL|REDIS_URL)\"", source + environment)
    )


def test_every_setting_has_its_row_and_every_row_its_setting():
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", OPERATIONS, re.MULTILINE))
    assert rows == variables()
    assert len(rows) <= LIMIT


def test_every_variable_is_a_setting_of_the_same_name():
    for name in variables() - {"DATABASE_URL"}:
        assert hasattr(settings, name), name


def test_every_command_is_documented():
    names = {path.stem for path in COMMANDS.glob("*.py")} - {"__init__"}
    documented = set(re.findall(r"^\| `([a-z_]+)[ `]", OPERATIONS, re.MULTILINE)) - variables()
    assert names <= documented
    builtin = {"migrate", "changepassword", "check"}
    assert documented == names | builtin


def test_links_between_documents_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_links_to_headings_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target, heading in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", path.read_text()):
            text = (path.parent / (target or path.name)).read_text()
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            known = {re.sub(r"[^\w -]", "", words).lower().replace(" ", "-") for words in headings}
            assert heading in known, f"{path.name}: {target}#{heading}"


def test_requirements_are_pinned_with_hashes_and_name_no_address():
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = path.read_text().splitlines()
        assert not [
            line for line in lines if re.match(r"\s*(-|--)(i|f|index|extra|find|trust)", line)
        ]
        assert "://" not in path.read_text()
        pinned = [line for line in lines if re.match(r"[a-z0-9]", line, re.IGNORECASE)]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned), path.name


def test_node_packages_are_locked_without_addresses():
    locks = list(ROOT.glob("tests/*/**/package-lock.json"))
    for path in locks:
        if "node_modules" not in path.parts:
            assert '"resolved"' not in path.read_text(), path
            assert '"integrity"' in path.read_text(), path
