"""What no suite has the time for: the same tests as in it, longer and with another seed each time.

Run by ``make fuzz``; about half an hour. With the seed that it prints, in RUNSITE_TEST_SEED, it
finds the same again.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import suite

ROOT = Path(__file__).resolve().parent.parent
#: Tests, and what makes them long.
LONG = {
    "tests/fuzz": {"RUNSITE_TEST_FUZZ_EXAMPLES": "200", "RUNSITE_TEST_REQUIRE": "fuzz"},
    "tests/execution/test_garbage.py": {"RUNSITE_TEST_FUZZ_SECONDS": "120"},
    "tests/api/test_machine.py": {"RUNSITE_TEST_GAMES": "500"},
}


def main() -> None:
    """Run all, whatever the first ones say."""
    suite.install_sets()
    seed = {"RUNSITE_TEST_SEED": os.environ.get("RUNSITE_TEST_SEED", str(secrets.randbelow(2**31)))}
    codes = []
    for tests, settings in LONG.items():
        settings = seed | settings
        print(f"== {tests} {settings}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-o", "faulthandler_timeout=0", tests]
        command += ["--hypothesis-seed", seed["RUNSITE_TEST_SEED"]]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=False)
        codes.append(done.returncode)
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
