"""The stream of every way a run is refused, stopped or fails: the exact events of each."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.execution.drive import RETRIES
from runs.models import Run
from runs.models.database import in_database
from tests.api.client import error_of
from tests.api.grammar import story
from tests.api.scene import checked, data_of, last_run, until
from tests.api.sse import readers_are
from tests.api.stories import ONE, OPEN, RESUME, START, WRITING, WRITTEN, scene_fixture
from tests.upstream_script import DROP, call, gate, raw, status, text

pytestmark = pytest.mark.slow

__all__ = ["scene_fixture"]


#: What the model has said when the run is ended from outside, the story so far, and the name
#: of each of its deltas.
UNDER_WAY = {
    "nothing": ([], START, "message.delta"),
    "text": ([text("Hel"), text("lo")], f"{START} {WRITING} message.delta*2", "message.delta"),
    "a call": (ONE[:2], f"{START} {OPEN} step.delta*2", "run.step.delta"),
}


async def under_way(scene, case):
    """A run whose model says no more, its stream, and the story so far."""
    plan, begun, delta = UNDER_WAY[case]
    stream = await scene.create(*plan, gate("never"))
    await stream.until("run.in_progress")
    await stream.until(delta, len(plan))
    return stream, stream.frames, begun


def closing(case, ending):
    """What is closed when a run ends so."""
    closed = {
        "nothing": "",
        "text": f"message.incomplete step.{ending} ",
        "a call": f"step.{ending} ",
    }
    return f"{closed[case]}run.{ending} done"


@pytest.mark.parametrize("case", UNDER_WAY)
async def test_cancel_from_another_connection(scene, case):
    stream, got, begun = await under_way(scene, case)
    answer = await scene.cancel(got[0].wire)
    assert (answer["status"], answer["cancelled_at"]) == ("cancelling", None)
    frames = await checked(stream)
    assert story(frames) == f"{begun} run.cancelling {closing(case, 'cancelled')}"
    reasons = [m["incomplete_details"]["reason"] for m in data_of(frames, "message.incomplete")]
    assert reasons == (["run_cancelled"] if case == "text" else [])
    assert last_run(frames)["cancelled_at"] is not None


async def test_cancel_while_waiting_for_outputs(scene):
    frames = await checked(await scene.create(*ONE))
    run = last_run(frames)
    follower = await scene.attach(run, "?follow=1")
    await follower.until("run.requires_action")
    assert (await scene.cancel(run))["status"] == "cancelled"
    seen = await checked(follower)
    assert story(seen) == story(frames[:-1]) + " step.cancelled run.cancelled done"


@pytest.mark.parametrize(
    ("plan", "code", "message"),
    [
        (
            [status(400, {"error": {"message": "bad", "code": None}})],
            "invalid_prompt",
            "The upstream refused the request (400). It said: bad",
        ),
        (
            [status(401, {"error": {"message": "who?", "code": None}})],
            "server_error",
            "The upstream refused the key (401). Check RUNSITE_UPSTREAM_KEY. It said: who?",
        ),
        (
            [status(402, {"error": {"message": "pay", "code": None}})],
            "rate_limit_exceeded",
            "The upstream wants to be paid first (402). It said: pay",
        ),
        (
            [call("{}", name="no_such_function")],
            "server_error",
            "The model called the function 'no_such_function', which this run does not offer. "
            "Offered: get_time, get_weather.",
        ),
        (
            [raw("data: {\n\n"), DROP],
            "server_error",
            "The upstream sent something that is not a chunk of chat completions. It said: {",
        ),
    ],
)
async def test_fail_before_any_output(scene, plan, code, message):
    for _ in range(RETRIES):
        scene.upstream.play(plan)
    frames = await checked(await scene.create(*plan))
    assert story(frames) == f"{START} run.failed done"
    assert last_run(frames)["last_error"] == {"code": code, "message": message}


@pytest.mark.parametrize("case", ["text", "a call"])
async def test_fail_in_mid_stream(scene, case):
    plan, begun, _ = UNDER_WAY[case]
    frames = await checked(await scene.create(*plan, DROP))
    assert story(frames) == f"{begun} {closing(case, 'failed')}"
    (step,) = data_of(frames, "run.step.failed")
    message = "The upstream broke off its answer in the middle."
    assert step["last_error"] == {"code": "server_error", "message": message}
    assert step["last_error"] == last_run(frames)["last_error"]
    reasons = [m["incomplete_details"]["reason"] for m in data_of(frames, "message.incomplete")]
    assert reasons == (["run_failed"] if case == "text" else [])


async def test_fail_in_a_later_round(scene):
    frames = await checked(await scene.create(*ONE))
    resumed = await checked(await scene.submit(last_run(frames), text("So"), DROP), "resume")
    assert story(resumed) == f"{RESUME} {WRITING} message.delta {closing('text', 'failed')}"


@pytest.mark.parametrize("case", UNDER_WAY)
async def test_expire_in_mid_stream(scene, case):
    stream, got, begun = await under_way(scene, case)
    await scene.logged(got)
    await scene.expire(got[0].wire)
    frames = await checked(stream)
    assert story(frames) == f"{begun} {closing(case, 'expired')}"
    reasons = [m["incomplete_details"]["reason"] for m in data_of(frames, "message.incomplete")]
    assert reasons == (["run_expired"] if case == "text" else [])
    assert last_run(frames)["last_error"] is None


async def test_expire_while_waiting_for_outputs(scene):
    frames = await checked(await scene.create(*ONE))
    follower = await scene.attach(last_run(frames), "?follow=1")
    await follower.until("run.requires_action")
    await scene.expire(last_run(frames))
    seen = await checked(follower)
    assert story(seen) == story(frames[:-1]) + " step.expired run.expired done"


@pytest.mark.parametrize("case", UNDER_WAY)
async def test_the_thread_is_deleted_in_mid_stream(scene, case):
    stream, got, begun = await under_way(scene, case)
    await scene.logged(got)
    answer = await scene.api.acall("DELETE", scene.url.removesuffix("/runs"))
    assert answer.status_code == 200
    frames = await checked(stream)
    assert story(frames) == f"{begun} run.cancelling {closing(case, 'cancelled')}"


async def test_the_thread_is_deleted_while_the_run_waits(scene):
    frames = await checked(await scene.create(*ONE))
    follower = await scene.attach(last_run(frames), "?follow=1")
    await follower.until("run.requires_action")
    answer = await scene.api.acall("DELETE", scene.url.removesuffix("/runs"))
    assert answer.status_code == 200
    seen = await checked(follower)
    assert story(seen) == story(frames[:-1]) + " step.cancelled run.cancelled done"


async def test_a_driver_is_lost_in_mid_stream(scene):
    """Another one closes what it left open and runs the turn again with new ids."""
    stream, got, begun = await under_way(scene, "text")
    await scene.logged(got)
    scene.upstream.play([text("Again")])
    past = timezone.now() - timedelta(seconds=1)

    def taken_over():
        Run.objects.filter(epoch=1).update(lease_until=past)
        return Run.objects.filter(epoch__gt=1).exists()

    await until(taken_over)
    frames = await checked(stream)
    lost = "message.incomplete step.failed"
    again = f"{WRITING} message.delta {WRITTEN} run.completed done"
    assert story(frames) == f"{begun} {lost} {again}"
    assert await checked(await scene.attach(last_run(frames))) == frames


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"temperature": 3}, 400),
        ({"no_such_field": 1}, 400),
        ({"assistant_id": "asst_nobody"}, 404),
        ({"stream": "yes"}, 400),
    ],
)
async def test_what_is_refused_before_the_first_byte_is_plain_json(scene, fields, code):
    body = {"assistant_id": scene.assistant.id, "stream": True} | fields
    error_of(await scene.api.acall("POST", scene.url, body), code)
    assert not await in_database(Run.objects.exists)
    await readers_are(0)


async def test_refused_outputs_are_plain_json(scene):
    frames = await checked(await scene.create(*ONE))
    body = {"tool_outputs": [{"tool_call_id": "call_x", "output": ""}], "stream": True}
    path = f"{scene.url}/{last_run(frames)['id']}/submit_tool_outputs"
    error_of(await scene.api.acall("POST", path, body), 400)
