"""Nothing that schemathesis makes of the API's own description breaks the API, or the description.

About a minute, with the same seed each time. The long run, with others, is ``make fuzz``.
"""

import faulthandler
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import LiveServer
from tests.upstream import Upstream

HERE = Path(__file__).resolve().parent
COMMAND = Path(sys.prefix) / "fuzz" / "bin" / "st"
#: For each operation, in each of the phases fuzzing and stateful.
EXAMPLES = int(os.environ.get("RUNSITE_TEST_FUZZ_EXAMPLES", "0"))
FEW = 5
SEED = os.environ.get("RUNSITE_TEST_SEED", "1")
LEAST = 3000
SECONDS = 7200 if EXAMPLES else 1200  # it takes one minute where nothing else runs

pytestmark = [pytest.mark.process, pytest.mark.fuzz]


def keys_of(server: LiveServer) -> str:
    """Keys of two projects, as schemathesis reads them."""
    stranger = server.manage("create_key", "--project", "another").stdout.strip()
    assert stranger.startswith("rsk_")
    users = {"owner": server.key, "stranger": stranger}
    return json.dumps(
        {
            "auth": [
                {
                    "name": name,
                    "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}],
                }
                for name, key in users.items()
            ]
        }
    )


def test_schemathesis_finds_nothing(tmp_path):
    faulthandler.cancel_dump_traceback_later()  # its bound is too close on a busy machine
    with Upstream() as upstream, LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server:
        (tmp_path / "keys.json").write_text(keys_of(server))
        done = subprocess.run(
            [
                str(COMMAND),
                f"--config-file={HERE / 'schemathesis.toml'}",
                "run",
                f"{server.url}/v1/openapi.json",
                f"--seed={SEED}",
                f"--max-examples={EXAMPLES or FEW}",
                "--report-json-path=report.json",
                "--no-color",
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        log = server.log
    print(done.stdout)  # noqa: T201  # shown if the test fails: what was found, with the seed
    assert done.returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert report["operations"]["tested"] == report["operations"]["total"] > 0
    assert report["test_cases"]["generated"] >= LEAST
    assert {name for name in report["valid_rates"] if not accepted(report, name)} == set()
    faults = [line for line in log.splitlines() if '"ERROR"' in line or "Traceback" in line]
    assert faults == []


def accepted(report: dict, operation: str) -> int:
    """How many right calls of an operation were answered as such."""
    return sum(phase["accepted"] for phase in report["valid_rates"][operation].values())
