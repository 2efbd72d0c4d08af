"""Tool outputs through the API: those that a run waits for, others, none, the same again."""

import pytest

from runs.contract.status import RunStatus
from tests.api.asked import thread_fixture, url_fixture
from tests.api.client import error_of, ok
from tests.factories import make_call, make_run

__all__ = ["thread_fixture", "url_fixture"]


def waiting(thread, *names):
    """A run that waits for the outputs of two calls."""
    run = make_run(thread, RunStatus.REQUIRES_ACTION)
    step = run.steps.get()
    step.tool_calls.update(id="call_a")
    make_call(step, id="call_b")
    return run


def outputs(**by_id):
    """A body with outputs."""
    return {"tool_outputs": [{"tool_call_id": key, "output": by_id[key]} for key in by_id]}


def test_submit_tool_outputs(api, thread, url):
    row = waiting(thread)
    run = ok(api.post(f"{url}/{row.id}/submit_tool_outputs", outputs(call_b="2", call_a="1")))
    assert (run["status"], run["required_action"]) == ("queued", None)
    step = ok(api.get(f"{url}/{row.id}/steps"))["data"][0]
    calls = step["step_details"]["tool_calls"]
    assert [(call["id"], call["function"]["output"]) for call in calls] == [
        ("call_a", "1"),
        ("call_b", "2"),
    ]
    assert step["status"] == "completed"
    keys = {call.submitted_by_key for call in row.tool_calls.all()}
    assert keys == set(row.project.keys.all())


def test_no_output_is_an_empty_one(api, thread, url):
    row = make_run(thread, "requires_action")
    call = row.steps.get().tool_calls.get()
    for body in ({"tool_call_id": call.id}, {"tool_call_id": call.id, "output": None}):
        ok(api.post(f"{url}/{row.id}/submit_tool_outputs", {"tool_outputs": [body]}))
    call.refresh_from_db()
    assert call.output == ""


@pytest.mark.parametrize(
    "ids",
    [
        [],
        ["call_a"],
        ["call_a", "call_a"],
        ["call_a", "call_b", "call_b"],
        ["call_a", "call_b", "call_c"],
        ["x", "y"],
    ],
)
def test_other_calls_than_the_pending_ones(api, thread, url, ids):
    row = waiting(thread)
    body = {"tool_outputs": [{"tool_call_id": name, "output": "x"} for name in ids]}
    error = error_of(api.post(f"{url}/{row.id}/submit_tool_outputs", body), 400)
    assert error["message"] == (
        f"Expected tool outputs for call_ids ['call_a', 'call_b'], got {ids}"
    )
    assert ok(api.get(f"{url}/{row.id}"))["status"] == "requires_action"
    assert not row.tool_calls.exclude(output=None).exists()


def test_the_same_outputs_again_are_no_error(api, thread, url):
    row = waiting(thread)
    path = f"{url}/{row.id}/submit_tool_outputs"
    first = ok(api.post(path, outputs(call_a="1", call_b="2")))
    assert ok(api.post(path, outputs(call_b="2", call_a="1"))) == first
    error = error_of(api.post(path, outputs(call_a="1", call_b="3")), 400)
    assert error["message"] == 'Runs in status "queued" do not accept tool outputs.'
    api.post(f"{url}/{row.id}/cancel")
    again = ok(api.post(path, outputs(call_a="1", call_b="2")))
    assert again["status"] == "cancelled"
