"""``docs/support.md`` lists all that the API takes, answers and refuses, and no more; each of
its rows names tests that are there.

What there is to list is read from the code (``tests.surface``). What the published API has and
Runsite has not must be a row too.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from runs.api.openapi import answers, events, objects
from runs.api.openapi import urls as openapi_urls
from runs.api.openapi.operations import OPERATIONS
from runs.contract.errors import ApiError, Busy
from runs.inputs import serializers
from runs.inputs.bodies import Body
from tests.api import routes
from tests.api.client import Api
from tests.factories import make_project
from tests.surface import (
    ROOT,
    Schema,
    error_classes,
    event_names,
    fields,
    headers_read,
    paths,
    places,
    query_parameters,
    refusals,
    topmost,
)

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "support.md").read_text()
PUBLISHED = json.loads((ROOT / "tests/data/assistants-schema.json").read_text())
THEIRS = PUBLISHED["components"]["schemas"]
OURS = {**objects.SCHEMAS, **events.SCHEMAS, **answers.SCHEMAS}

OWN = "Runsite's own"
HERE = {"supported", "accepted and ignored", OWN}
NOT_HERE = {"refused", "never sent"}
PROOF = re.compile(r"`(tests/[\w/]+\.py::\w+(?:\[[^`]*\])?)`")


@dataclass(frozen=True)
class Row:
    """A line of one of the page's tables."""

    section: str
    what: str
    support: str
    remark: str
    proofs: tuple[str, ...]


def rows() -> Iterator[Row]:
    """All rows; ``section`` is the heading above, up to the first bracket."""
    section = ""
    for line in PAGE.splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ").split(" (")[0].strip("`")
        elif line.startswith("| `"):
            what, support, remark, proof = line.strip("| ").split(" | ")
            yield Row(section, what.strip("`"), support, remark, tuple(PROOF.findall(proof)))


ROWS = list(rows())


def listed(section: str, *supports: str) -> set[str]:
    """What the table of a section lists, each thing once; of these kinds of support, if given."""
    found = [row for row in ROWS if row.section == section]
    assert len(found) == len({row.what for row in found}), section
    return {row.what for row in found if not supports or row.support in supports}


def test_operations():
    served = {
        re.sub(r"<str:(\w+)>", r"{\1}", f"{operation.method} /v1/{operation.route}")
        for operation in routes.OPERATIONS
    }
    served |= {f"GET /v1/{pattern.pattern}" for pattern in openapi_urls.urlpatterns}
    published = {
        f"{method.upper()} /v1{path}"
        for path, item in PUBLISHED["paths"].items()
        for method in item
    }
    assert listed("Operations") == served | published
    assert listed("Operations", OWN) == served - published
    assert listed("Operations", *NOT_HERE) == published - served


def test_query_parameters():
    ours, theirs = set(), set()
    for (method, path), operation in OPERATIONS.items():
        ours |= query_parameters(f"{method} /v1{path}", operation)
    for path, item in PUBLISHED["paths"].items():
        for method, operation in item.items():
            theirs |= query_parameters(f"{method.upper()} /v1{path}", operation)
    assert listed("Query parameters") == ours | theirs
    assert listed("Query parameters", *NOT_HERE) == theirs - ours


#: The published schemas of whole bodies, and ours.
BODIES: dict[str, type[Body]] = {
    "CreateAssistantRequest": serializers.CreateAssistant,
    "ModifyAssistantRequest": serializers.ModifyAssistant,
    "CreateThreadRequest": serializers.CreateThread,
    "ModifyThreadRequest": serializers.ModifyThread,
    "CreateMessageRequest": serializers.CreateMessage,
    "ModifyMessageRequest": serializers.ModifyMetadata,
    "CreateRunRequest": serializers.CreateRun,
    "ModifyRunRequest": serializers.ModifyMetadata,
    "CreateThreadAndRunRequest": serializers.CreateThreadAndRun,
    "SubmitToolOutputsRunRequest": serializers.SubmitToolOutputs,
}


def test_bodies():
    """Every field of every body, at any depth, and every published one."""
    assert {operation.body for operation in OPERATIONS.values() if operation.body} == set(
        BODIES.values()
    )
    ours = {name for body in BODIES.values() for name in fields(body())}
    theirs: set[str] = set()
    for name, body in BODIES.items():
        for path in paths(THEIRS[name], THEIRS):
            theirs |= places([body()], path)
    sections = sorted({name.partition(".")[0] for name in ours})
    page = {f"{section}.{field}" for section in sections for field in listed(section)}
    gone = {f"{section}.{field}" for section in sections for field in listed(section, *NOT_HERE)}
    assert page == ours | topmost(theirs - ours)
    assert not gone & ours


#: Sections of the page, and the schemas whose properties they list.
ANSWERS = {
    "Assistant": ("AssistantObject",),
    "Thread": ("ThreadObject",),
    "Message": ("MessageObject",),
    "Run": ("RunObject",),
    "Run step": ("RunStepObject",),
    "List": (
        "ListAssistantsResponse",
        "ListThreadsResponse",
        "ListMessagesResponse",
        "ListRunsResponse",
        "ListRunStepsResponse",
    ),
    "Deletion": ("DeleteAssistantResponse", "DeleteThreadResponse", "DeleteMessageResponse"),
    "Message delta": ("MessageDeltaObject",),
    "Run step delta": ("RunStepDeltaObject",),
    "Error": ("ErrorResponse",),
}
#: What comes back as it was sent, and is listed with the bodies; and the objects of lists.
ELSEWHERE = ("tools", "tool_resources", "response_format", "tool_choice", "attachments", "data")
#: Parts of messages that come back as they were sent.
SENT_PARTS = ("content.image_file", "content.image_url")


def shown(names: tuple[str, ...], schemas: Schema) -> set[str]:
    """The properties of answers, without what is listed elsewhere."""
    found = {path for name in names if name in schemas for path in paths(schemas[name], schemas)}
    return {path for path in found if path.partition(".")[0] not in ELSEWHERE or "." not in path}


@pytest.mark.parametrize("section", ANSWERS)
def test_answers(section):
    ours, theirs = shown(ANSWERS[section], OURS), shown(ANSWERS[section], THEIRS)
    if section == "Message":
        ours |= {path for path in theirs if path.startswith(SENT_PARTS)}
    missing = topmost(theirs - ours)
    assert listed(section) == ours | missing
    assert listed(section, *NOT_HERE) == missing


def test_every_answer_is_in_a_section():
    answered = {operation.answer for operation in OPERATIONS.values()} - {"AssistantStreamEvent"}
    assert answered <= {name for names in ANSWERS.values() for name in names}


def test_events():
    ours, theirs = (event_names("AssistantStreamEvent", known) for known in (OURS, THEIRS))
    assert listed("Events") == ours | theirs
    assert listed("Events", *NOT_HERE) == theirs - ours


def test_errors():
    assert listed("Errors") == {*error_classes(), *refusals()}
    codes = {row.split(": ")[0].split(" ")[1] for row in listed("Errors")} - {"null"}
    assert codes == set(answers.CODES)


def test_request_headers():
    effective = {name.lower() for name in listed("Request headers", "supported", OWN)}
    assert effective == headers_read()
    described = {
        item["name"].lower()
        for operation in OPERATIONS.values()
        for item in operation.parameters
        if item["in"] == "header"
    }
    assert described <= effective


def test_response_headers(transactional_db):
    api = Api(make_project())
    world = routes.make_world(api.project)
    run = f"/v1/threads/{world['thread_id']}/runs/{world['run_id']}"
    body = {"assistant_id": world["assistant_id"], "tools": [{"type": "code_interpreter"}]}
    given = [
        api.get("/v1/runs"),
        api.get(run),
        api.get(f"{run}/stream"),
        api.post("/v1/threads/runs", body, Idempotency_Key="one"),
        api.post("/v1/threads/runs", body, Idempotency_Key="one"),
        api.get("/v1/runs", Authorization=""),
        api.call("PATCH", "/v1/runs"),
    ]
    sent = {name.lower() for answer in given for name in answer.headers}
    alone = [kind for kind in ApiError.__subclasses__() if kind.__init__.__code__.co_argcount == 1]
    sent |= {name for kind in (*alone, Busy) for name in kind().headers}
    assert {name.lower() for name in listed("Response headers")} == sent - {"content-length"}


def test_every_row_says_whether_and_by_which_test():
    for row in ROWS:
        assert row.support in HERE | NOT_HERE, row
        assert row.proofs, row


def test_every_test_that_the_page_names_is_there(request):
    missing = set(PROOF.findall(PAGE))
    missing -= known([item.nodeid for item in request.session.items])
    if missing:  # not all tests are run
        files = sorted({name.partition("::")[0] for name in missing})
        collected = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header", *files],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        missing -= known(collected.stdout.splitlines())
    assert missing == set()


def known(nodes: list[str]) -> set[str]:
    """Tests with and without what they are run with."""
    return {*nodes, *(node.partition("[")[0] for node in nodes)}
