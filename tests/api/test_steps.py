"""Run steps through the API."""

from tests.api.client import error_of, ok
from tests.factories import make_call, make_run, make_step, make_thread


def test_a_message_step(api):
    run = make_run(make_thread(api.project), "completed")
    row = make_step(run)
    url = f"/v1/threads/{run.thread_id}/runs/{run.id}/steps"
    step = ok(api.get(f"{url}/{row.id}?include[]=x"))
    at = int(row.created_at.timestamp())
    assert step == {
        "id": row.id,
        "object": "thread.run.step",
        "created_at": at,
        "run_id": run.id,
        "assistant_id": run.assistant_id,
        "thread_id": run.thread_id,
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": int(row.completed_at.timestamp()),
        "expired_at": None,
        "expires_at": int(run.expires_at.timestamp()),
        "failed_at": None,
        "last_error": None,
        "step_details": {
            "type": "message_creation",
            "message_creation": {"message_id": row.message_id},
        },
        "usage": row.usage,
        "metadata": {},
    }
    assert step["id"].startswith("step_")
    assert ok(api.get(url))["data"] == [step]


def test_a_tool_step(api):
    run = make_run(make_thread(api.project), "requires_action")
    row = run.steps.get()
    make_call(row, id="call_b", name="other", output="done")
    url = f"/v1/threads/{run.thread_id}/runs/{run.id}/steps"
    step = ok(api.get(f"{url}/{row.id}"))
    assert (step["type"], step["status"], step["usage"]) == ("tool_calls", "in_progress", None)
    first, second = step["step_details"]["tool_calls"]
    assert first["function"] == {
        "name": "get_weather",
        "arguments": '{"city": "Oslo"}',
        "output": None,
    }
    assert (second["id"], second["function"]["output"]) == ("call_b", "done")
    assert ok(api.get(url))["data"] == [step]


def test_an_unknown_step(api):
    run = make_run(make_thread(api.project))
    url = f"/v1/threads/{run.thread_id}/runs/{run.id}/steps"
    error = error_of(api.get(f"{url}/step_x"), 404)
    assert error["message"] == "No run step found with id 'step_x'."
    error = error_of(api.get(url.replace(run.id, "run_x")), 404)
    assert error["message"] == "No run found with id 'run_x'."


def test_listing_costs_four_queries(api, django_assert_num_queries):
    run = make_run(make_thread(api.project), "completed")
    url = f"/v1/threads/{run.thread_id}/runs/{run.id}/steps"
    for _ in range(3):
        make_step(run, "tool_calls", calls=["a", "b"])
    api.get(url)
    with django_assert_num_queries(4):  # the key, the run, the page, its calls
        assert len(ok(api.get(url))["data"]) == 3
