"""The whole test suite. Run by ``make test``.

In three parts, each by several processes at once: on SQLite, in process and with real
servers; then both SDKs and the browser; then what asks the database in process once more
on PostgreSQL and with the engine of several processes, and the tests that need PostgreSQL or
Redis. What is not there is skipped, with a count and a reason, unless RUNSITE_TEST_REQUIRE names
it. The failures that are made on purpose have a target of their own: ``make chaos``.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
#: Folders of tests that need packages of npm, as their lock files say.
NODE = [ROOT / "tests" / "sdk" / "node", ROOT / "tests" / "browser"]
#: Sets in environments of their own: SDKs of other ages than the one in dev.txt, and what tries
#: the API with its own description.
SETS = ("sdk-1", "sdk-2", "fuzz")
POSTGRES = os.environ.get(
    "RUNSITE_TEST_POSTGRES", "postgresql://runsite:runsite@127.0.0.1:5432/runsite"
)
OUTSIDE = "(browser or node or sdk)"
IN_PROCESS = "not (process or browser or sdk or node or sqlite)"


class Part(NamedTuple):
    """One pytest run."""

    marks: str
    #: Tests wait more than they work: more processes than the two cores of a small machine.
    #: A file of the second part shares one server, so it stays in one process.
    how: tuple[str, ...]
    tiers: set[str]  # that RUNSITE_TEST_REQUIRE may name for it


SQLITE = Part(
    f"not services and not {OUTSIDE} and (sqlite or not chaos)",
    ("-n3", "--dist=worksteal"),
    {"sqlite", "model", "setup", "fuzz"},
)
CLIENTS = Part(
    f"not services and {OUTSIDE}", ("-n2", "--dist=loadfile"), {"node", "browser", "ages"}
)
SERVICES = Part(
    f"(services or database and {IN_PROCESS}) and not chaos",
    ("-n3", "--dist=worksteal"),
    {"services"},
)


def install_node_packages() -> None:
    """The packages of the Node and browser tests. Without npm those tests are skipped."""
    npm = shutil.which("npm")
    for folder in NODE if npm else []:
        lock = folder / "package-lock.json"
        stamp = folder / "node_modules" / ".package-lock.json"
        if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
            subprocess.run(
                [str(npm), "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=False
            )


def install_sets() -> None:
    """The environments of ``SETS``, inside our own. Without one its tests are skipped.

    pip runs from here, so that they need none; what they hold is stamped by a hash.
    """
    lock = os.open(ROOT / "requirements", os.O_RDONLY)  # leaves no file behind
    fcntl.flock(lock, fcntl.LOCK_EX)
    for name in SETS:
        requirements = ROOT / "requirements" / f"{name}.txt"
        folder = Path(sys.prefix) / name
        stamp = folder / "requirements.sha256"
        wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        print(f"Downloading {requirements.name} (5 to 20 MB, once) ...", flush=True)
        make = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)]
        fill = [sys.executable, "-m", "pip", f"--python={folder}", "install", "-qq"]
        fill += ["--no-input", "--disable-pip-version-check", "--require-hashes"]
        fill += ["-r", str(requirements)]
        if all(subprocess.run(command, check=False).returncode == 0 for command in (make, fill)):
            stamp.write_text(wanted)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def pytest(part: Part, required: set[str], **environment: str) -> int:
    """One part; its exit code."""
    print(f"== pytest -m '{part.marks}' {' '.join(environment)}", flush=True)
    tiers = ",".join(sorted(required & part.tiers))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *part.how, "-m", part.marks, *sys.argv[1:]],
        cwd=ROOT,
        env={**os.environ, **environment, "RUNSITE_TEST_REQUIRE": tiers},
        check=False,
    ).returncode


def postgres_answers() -> bool:
    """Whether the second part can run."""
    probe = "import sys, psycopg; psycopg.connect(sys.argv[1], connect_timeout=3).close()"
    command = [sys.executable, "-c", probe, POSTGRES]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> None:
    """Run all parts, whatever the first one says."""
    required = {name for name in os.environ.get("RUNSITE_TEST_REQUIRE", "").split(",") if name}
    install_node_packages()
    install_sets()
    if unknown := required - SQLITE.tiers - CLIENTS.tiers - SERVICES.tiers:
        sys.exit(f"RUNSITE_TEST_REQUIRE names no tier: {', '.join(sorted(unknown))}")
    codes = [pytest(SQLITE, required), pytest(CLIENTS, required)]
    if postgres_answers():
        codes.append(pytest(SERVICES, required, DATABASE_URL=POSTGRES))
    else:
        where = POSTGRES.rsplit("@", 1)[-1]
        print(f"The PostgreSQL part is skipped: no database answers at {where}.")
        codes.append(int("services" in required))
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
