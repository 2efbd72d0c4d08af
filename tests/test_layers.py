"""The layers hold, and what the import linter cannot see."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_imports_only_point_down():
    lint = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_status_is_written_by_lifecycle_alone():
    """``status`` written by ``update`` or ``save`` outside of lifecycle."""
    write = re.compile(r"\.(?:a?update|a?save|bulk_update)\([^)]*\bstatus\b")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in sources("runs", "runsite")
        if "lifecycle" not in path.parts and "migrations" not in path.parts
        for match in write.finditer(path.read_text())
    ]
    assert found == []


def test_no_unsafe_ways_around():
    """Nothing unpickles, evaluates, or turns certificate checks off."""
    bad = re.compile(r"\bpickle\b|yaml\.load|\beval\(|\bexec\(|verify=False|RawSQL|\.extra\(")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in sources("runs", "runsite")
        for match in bad.finditer(path.read_text())
    ]
    assert found == []
