"""``docs/api.md`` names every route, event and error code, and no other."""

import re
from pathlib import Path

from runs.api.openapi import urls as openapi
from runs.contract import events
from runs.contract.status import MessageStatus, RunStatus, StepStatus
from tests.api.routes import OPERATIONS

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "api.md").read_text()
#: Where errors are raised; codes stand there as ``code="…"`` or first in ``Refused(…)``.
SOURCES = ("runs/contract/errors.py", "runs/api", "runs/inputs", "runsite/middleware.py")


def test_operations():
    documented = re.findall(r"`(GET|POST|DELETE) (/v1/\S+)`", TEXT)
    served = {(o.method, "/v1/" + re.sub(r"<str:(\w+)>", r"{\1}", o.route)) for o in OPERATIONS}
    served |= {("GET", f"/v1/{described.pattern}") for described in openapi.urlpatterns}
    assert set(documented) == served
    rows = [row for row in TEXT.splitlines() if row.startswith("| ") and "/v1/" in row]
    assert len(rows) == len(OPERATIONS)


def test_events():
    documented = set(re.findall(r"`(thread\.[a-z_.]+|error|done)`", TEXT))
    documented = {name for name in documented if not name.endswith(".")}
    known = {value for value in vars(events).values() if isinstance(value, str)}
    known = {name for name in known if re.fullmatch(r"thread\.[a-z_.]+|error|done", name)}
    known |= {events.run_event(status) for status in RunStatus}
    known |= {events.step_event(status) for status in StepStatus}
    known |= {f"thread.message.{status}" for status in MessageStatus}
    assert documented == known


def test_error_codes():
    rows = re.findall(r"^\| (?:4|5)\d\d \| (.+?) \|", TEXT, re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert documented == raised_codes()


def raised_codes() -> set[str]:
    """All codes of errors, as the sources name them."""
    raised = {
        f"{word}_{code}_value"
        for word in ("integer", "decimal")
        for code in ("above_max", "below_min")
    }
    for source in SOURCES:
        path = ROOT / source
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            found = re.findall(r'(?:code=|Refused\(\s*)"([a-z_]+)"', file.read_text())
            raised |= set(found)
    return raised
