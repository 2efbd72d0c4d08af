"""What must hold before a change is looked at. Run by ``make check``; runs all, then tells."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable]
LINT = "from importlinter.cli import lint_imports_command as run; run()"
CHECKS = {
    "format": [*PYTHON, "-m", "ruff", "format", "--check", "--quiet", "."],
    "lint": [*PYTHON, "-m", "ruff", "check", "--quiet", "."],
    "import layers": [*PYTHON, "-c", LINT, "--no-logo"],
    # Without its cache: the Django plugin reads managers back from it wrongly.
    "types": [*PYTHON, "-m", "mypy", f"--cache-dir={os.devnull}"],
    "system checks": [*PYTHON, "manage.py", "check", "--fail-level", "WARNING"],
    "missing migrations": [*PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
}


def main() -> None:
    """Run every check; exit code 1 if one fails."""
    failed = []
    for name, command in CHECKS.items():
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")
    print("All checks passed.")


if __name__ == "__main__":
    main()
