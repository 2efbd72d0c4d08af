"""Every object that leaves the server is valid by the published schema; bodies have its fields."""

import copy

import pytest
from jsonschema import Draft202012Validator

from runs.contract.errors import Internal
from runs.contract.status import RunStatus, StepStatus
from runs.inputs import serializers
from tests.api.client import Api, ok
from tests.factories import WEATHER, make_message, make_project, make_run, make_step, make_thread
from tests.published import CORRECTIONS, SCHEMA, SCHEMAS, check

#: Fields of bodies that are Runsite's own.
OWN_FIELDS = {
    "CreateRunRequest": {"on_active_run", "expires_in", "action_expires_in"},
    "CreateThreadAndRunRequest": {"expires_in", "action_expires_in"},
}


@pytest.fixture
def api(transactional_db) -> Api:
    """A program with a key."""
    return Api(make_project())


@pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda correction: correction.reason)
def test_each_correction_changes_the_schema(correction):
    schemas = copy.deepcopy(SCHEMA["components"]["schemas"])
    correction.apply(schemas)
    assert schemas != SCHEMA["components"]["schemas"]


def test_the_corrected_schema_is_one():
    Draft202012Validator.check_schema(SCHEMAS)


@pytest.mark.parametrize("status", RunStatus)
def test_runs(api, status):
    thread = make_thread(api.project)
    run = make_run(thread, status, max_prompt_tokens=1, instructions=None)
    url = f"/v1/threads/{thread.id}/runs"
    check("RunObject", ok(api.get(f"{url}/{run.id}")))
    check("ListRunsResponse", ok(api.get(url)))
    check("ListRunStepsResponse", ok(api.get(f"{url}/{run.id}/steps")))


@pytest.mark.parametrize("reason", ["max_completion_tokens", "max_prompt_tokens", "content_filter"])
def test_incomplete_runs(api, reason):
    run = make_run(make_thread(api.project), "incomplete", incomplete_reason=reason)
    check("RunObject", ok(api.get(f"/v1/threads/{run.thread_id}/runs/{run.id}")))


@pytest.mark.parametrize("type_", ["message_creation", "tool_calls"])
@pytest.mark.parametrize("status", StepStatus)
def test_steps(api, status, type_):
    thread = make_thread(api.project)
    step = make_step(make_run(thread, "in_progress"), type_, status, ["f", "g"])
    url = f"/v1/threads/{thread.id}/runs/{step.run_id}/steps"
    check("RunStepObject", ok(api.get(f"{url}/{step.id}")))
    check("ListRunStepsResponse", ok(api.get(url)))


def test_messages(api):
    thread = make_thread(api.project)
    content = [
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": "file_1"}},
    ]
    attachments = [{"file_id": "file_1", "tools": [{"type": "code_interpreter"}]}]
    body = {"role": "user", "content": content, "attachments": attachments, "metadata": {"a": "b"}}
    url = f"/v1/threads/{thread.id}/messages"
    check("ListMessagesResponse", ok(api.get(url)))
    message = ok(api.post(url, body))
    check("MessageObject", message)
    make_message(thread, role="assistant", status="in_progress", content=[])
    for reason in ("content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"):
        make_message(thread, role="assistant", status="incomplete", incomplete_reason=reason)
    make_message(thread, role="assistant", content=[{"type": "refusal", "refusal": "No."}])
    check("ListMessagesResponse", ok(api.get(url)))
    check("DeleteMessageResponse", ok(api.delete(f"{url}/{message['id']}")))


def test_assistants_and_threads(api):
    check("ListAssistantsResponse", ok(api.get("/v1/assistants")))
    for fields in (
        {},
        {
            "tools": [WEATHER, {"type": "code_interpreter"}, {"type": "file_search"}],
            "response_format": {"type": "json_object"},
            "reasoning_effort": "high",
            "temperature": 0,
        },
    ):
        assistant = ok(api.post("/v1/assistants", {"model": "m", **fields}))
        check("AssistantObject", assistant)
        run = ok(api.post("/v1/threads/runs", {"assistant_id": assistant["id"]}))
        check("RunObject", run)
    check("ListAssistantsResponse", ok(api.get("/v1/assistants")))
    check("DeleteAssistantResponse", ok(api.delete(f"/v1/assistants/{assistant['id']}")))
    check("ThreadObject", ok(api.post("/v1/threads", {"metadata": {"a": "b"}})))
    thread = ok(api.get(f"/v1/threads/{run['thread_id']}"))
    check("ThreadObject", thread)
    check("DeleteThreadResponse", ok(api.delete(f"/v1/threads/{thread['id']}")))


def test_errors(api):
    for answer in (api.get("/v1/threads/thread_x"), api.post("/v1/assistants", {})):
        check("ErrorResponse", answer.json())
    check("ErrorResponse", Internal().body())


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("CreateAssistantRequest", serializers.CreateAssistant),
        ("ModifyAssistantRequest", serializers.ModifyAssistant),
        ("CreateThreadRequest", serializers.CreateThread),
        ("ModifyThreadRequest", serializers.ModifyThread),
        ("CreateMessageRequest", serializers.CreateMessage),
        ("ModifyMessageRequest", serializers.ModifyMetadata),
        ("ModifyRunRequest", serializers.ModifyMetadata),
        ("CreateRunRequest", serializers.CreateRun),
        ("CreateThreadAndRunRequest", serializers.CreateThreadAndRun),
        ("SubmitToolOutputsRunRequest", serializers.SubmitToolOutputs),
    ],
)
def test_bodies_have_the_published_fields(name, body):
    schema = SCHEMA["components"]["schemas"][name]
    fields = body().fields
    assert set(fields) == set(schema["properties"]) | OWN_FIELDS.get(name, set())
    required = {field for field, kind in fields.items() if kind.required}
    assert required == set(schema.get("required", ()))
