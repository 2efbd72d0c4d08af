"""The stream of every way a run can go: the exact events, and what each of them holds."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.events.hub import hub
from runs.execution.drive import RETRIES
from runs.models import Run
from runs.models.database import in_database
from tests.api.client import error_of
from tests.api.grammar import story, words
from tests.api.scene import Scene, checked, data_of, last_run, until
from tests.api.sse import Stream, readers_are
from tests.upstream import upstream_fixture
from tests.upstream_script import DROP, call, finish, gate, raw, status, text

pytestmark = pytest.mark.slow

__all__ = ["upstream_fixture"]

START = "run.created run.queued run.in_progress"
RESUME = "step.completed run.queued run.in_progress"
OPEN = "step.created step.in_progress"
WRITING = f"{OPEN} message.created message.in_progress"
WRITTEN = "message.completed step.completed"

ONE = [
    call("", call_id="call_a", name="get_weather"),
    call('{"city"'),
    call(': "Oslo"}'),
]
TWO = [call("", index=1, call_id="call_b", name="get_time"), call('{"at": 1}', index=1)]


@pytest.fixture
async def scene(api, upstream, monkeypatch):
    """A scripted model behind the API; what repeats repeats quickly."""
    monkeypatch.setattr("runs.execution.drive.RETRY_SECONDS", 0.005)
    monkeypatch.setattr("runs.execution.watchdog.SECONDS", 0.02)
    async with (await in_database(Scene, api, upstream)).at_work() as scene:
        yield scene
    assert hub.readers() == 0


async def test_plain_text(scene):
    frames = await checked(await scene.create(text("Hel"), text("lo")))
    assert story(frames) == f"{START} {WRITING} message.delta*2 {WRITTEN} run.completed done"
    (message,) = data_of(frames, "message.completed")
    assert words(message["content"]) == "Hello"
    assert last_run(frames)["usage"]["completion_tokens"] == 2
    (step,) = data_of(frames, "run.step.completed")
    assert step["usage"]["total_tokens"] == last_run(frames)["usage"]["total_tokens"]


async def test_thread_and_run(scene):
    scene.upstream.play([text("Hello")])
    body = {
        "assistant_id": scene.assistant.id,
        "stream": True,
        "thread": {"messages": [{"role": "user", "content": "Hi"}]},
    }
    stream = Stream.of(await scene.api.acall("POST", "/v1/threads/runs", body))
    frames = await checked(stream, "create_thread")
    assert story(frames) == f"created {START} {WRITING} message.delta {WRITTEN} run.completed done"
    assert frames[0].wire["id"] == last_run(frames)["thread_id"]


@pytest.mark.parametrize(
    ("plan", "deltas"),
    [
        (ONE, 3),
        ([call('{"city": "Oslo"}', call_id="call_a", name="get_weather")], 2),
        ([call("", call_id="call_a", name="get_weather")], 2),
        ([call(None, call_id="call_a", name="get_weather"), *map(call, '{"n": 1}')], 9),
        ([call("", name="get_weather"), call("{")], 2),
    ],
    ids=["fragments", "one chunk", "no arguments", "characters", "broken arguments"],
)
async def test_one_call(scene, plan, deltas):
    frames = await checked(await scene.create(*plan))
    assert story(frames) == f"{START} {OPEN} step.delta*{deltas} run.requires_action done"
    created, progress = (data_of(frames, f"run.step.{name}")[0] for name in OPEN_NAMES)
    assert created["step_details"] == progress["step_details"]
    assert created["step_details"] == {"type": "tool_calls", "tool_calls": []}
    resumed = await checked(await scene.submit(last_run(frames), text("Sunny")), "resume")
    tail = f"{WRITING} message.delta {WRITTEN} run.completed done"
    assert story(resumed) == f"{RESUME} {tail}"
    (done,) = resumed[0].wire["step_details"]["tool_calls"]
    assert done["function"]["output"] == f"for {done['id']}"
    assert resumed[0].wire["usage"]["total_tokens"] > 0


OPEN_NAMES = ("created", "in_progress")


async def test_calls_after_each_other(scene):
    frames = await checked(await scene.create(*ONE, *TWO))
    assert story(frames) == f"{START} {OPEN} step.delta*5 run.requires_action done"
    resumed = await checked(await scene.submit(last_run(frames), text("Both")), "resume")
    assert resumed[0].wire["id"] == data_of(frames, "run.step.created")[0]["id"]


async def test_calls_that_come_mixed_are_told_one_after_the_other(scene):
    mixed = [
        call("", call_id="call_a", name="get_weather"),
        call("", index=1, call_id="call_b", name="get_time"),
        call('{"city": '),
        call('{"at": ', index=1),
        call('"Oslo"}'),
        call("1}", index=1),
    ]
    frames = await checked(await scene.create(*mixed))
    indexes = [
        delta["delta"]["step_details"]["tool_calls"][0]["index"]
        for delta in data_of(frames, "run.step.delta")
    ]
    assert indexes == sorted(indexes)
    assert len(set(indexes)) == 2


async def test_many_rounds(scene):
    streams = [await scene.create(*ONE)]
    frames = await checked(streams[0])
    seen = frames[:-1]
    for number in range(3):
        plan = [call("{}", call_id=f"call_{number}", name="get_time")]
        frames = await checked(await scene.submit(last_run(frames), *plan), "resume")
        assert story(frames) == f"{RESUME} {OPEN} step.delta*2 run.requires_action done"
        seen += frames[:-1]
    frames = await checked(await scene.submit(last_run(frames), text("Done")), "resume")
    whole = await checked(await scene.attach(last_run(frames)))
    assert whole == [*seen, *frames]
    assert last_run(whole)["usage"]["total_tokens"] == sum(
        step["usage"]["total_tokens"] for step in data_of(whole, "run.step.completed")
    )


async def test_text_and_calls_in_one_turn(scene):
    frames = await checked(await scene.create(text("Let me "), text("look."), *ONE, *TWO))
    assert story(frames) == (
        f"{START} {WRITING} message.delta*2 {WRITTEN} {OPEN} step.delta*4 run.requires_action done"
    )
    (written,) = data_of(frames, "run.step.completed")
    assert written["usage"] is None  # the turn's is on its last step
    resumed = await checked(await scene.submit(last_run(frames), text("Sunny")), "resume")
    assert resumed[0].wire["usage"]["total_tokens"] > 0


async def test_text_on_both_sides_of_a_call_is_one_message(scene):
    frames = await checked(await scene.create(text("Let me "), *ONE, text("look.")))
    assert story(frames) == (
        f"{START} {WRITING} message.delta*2 {WRITTEN} {OPEN} step.delta*2 run.requires_action done"
    )


def refusal(words):
    return {"delta": {"refusal": words}}


async def test_refusal(scene):
    frames = await checked(await scene.create(refusal("I will "), refusal("not.")))
    assert story(frames) == f"{START} {WRITING} message.delta*2 {WRITTEN} run.completed done"
    (message,) = data_of(frames, "message.completed")
    assert message["content"] == [{"type": "refusal", "refusal": "I will not."}]


async def test_a_refusal_after_text_is_a_part_of_its_own(scene):
    frames = await checked(await scene.create(text("Well"), refusal("no"), text("sorry")))
    (message,) = data_of(frames, "message.completed")
    assert [part["type"] for part in message["content"]] == ["text", "refusal", "text"]


@pytest.mark.parametrize(
    ("reason", "of_message", "of_run"),
    [
        ("length", "max_tokens", "max_completion_tokens"),
        ("content_filter", "content_filter", "content_filter"),
    ],
)
async def test_cut_short_by_the_model(scene, reason, of_message, of_run):
    frames = await checked(await scene.create(text("Hel"), text("lo"), finish(reason)))
    tail = "message.incomplete step.completed run.incomplete"
    assert story(frames) == f"{START} {WRITING} message.delta*2 {tail} done"
    (message,) = data_of(frames, "message.incomplete")
    assert message["incomplete_details"] == {"reason": of_message}
    assert last_run(frames)["incomplete_details"] == {"reason": of_run}
    assert last_run(frames)["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_cut_short_before_any_output(scene, reason):
    frames = await checked(await scene.create(finish(reason)))
    assert story(frames) == f"{START} run.incomplete done"


async def test_cut_short_inside_a_call(scene):
    frames = await checked(await scene.create(*ONE[:2], finish("length")))
    assert story(frames) == f"{START} {OPEN} step.delta*2 step.failed run.incomplete done"


async def test_cut_short_inside_a_call_after_text(scene):
    frames = await checked(await scene.create(text("Look"), *ONE[:2], finish("length")))
    tail = "message.incomplete step.completed run.incomplete"
    assert story(frames) == f"{START} {WRITING} message.delta {tail} done"


async def test_no_room_for_a_prompt(scene):
    frames = await checked(await scene.create(max_prompt_tokens=1))
    assert story(frames) == f"{START} run.incomplete done"
    assert last_run(frames)["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert not scene.upstream.requests


@pytest.mark.parametrize("plan", [[], [text("")], [text(" \n")]], ids=["nothing", "empty", "blank"])
async def test_an_empty_answer_opens_no_step(scene, plan):
    frames = await checked(await scene.create(*plan, finish()))
    assert story(frames) == f"{START} run.completed done"


async def test_an_empty_answer_after_outputs(scene):
    frames = await checked(await scene.create(*ONE))
    resumed = await checked(await scene.submit(last_run(frames), finish()), "resume")
    assert story(resumed) == f"{RESUME} run.completed done"


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


def chunk(content):
    """An upstream's chunk as it is on the wire, with its characters as they are."""
    return f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{content}"}}}}]}}\n\n'


def cut_bytes(whole):
    """Steps that send each byte of a chunk by itself."""
    return [raw(bytes([byte]).decode("utf-8", "surrogateescape")) for byte in whole.encode()]


ODD = '😀 e\u0301 \u2028\u2029\x85 \x0b\x0c\x1c\x1d\x1e \r\n\r \t\\" </script> id: 7\n\ndata: x'

TEXTS = {
    "an emoji cut into bytes": (cut_bytes(chunk("a😀b")), "a😀b"),
    "half an emoji per chunk": ([raw(chunk(r"a\ud83d")), raw(chunk(r"\ude00b"))], "a😀b"),
    "half an emoji": ([raw(chunk(r"a\ud83d")), text("b")], "a\ufffdb"),
    "all line ends there are": ([text(ODD)], ODD),
    "line ends alone": ([text("a"), *(text(end) for end in ("\n", "\r", "\u2028", "\n\n"))], None),
    "what looks like a frame": ([text("\n\nevent: done\ndata: [DONE]\n\n")], None),
    "one long delta": ([text("long " * 200_000)], None),
    "many deltas": ([text(f"{n} ") for n in range(1200)], None),
}


@pytest.mark.parametrize("name", TEXTS)
async def test_any_text_comes_through(scene, name):
    plan, expected = TEXTS[name]
    if expected is None:
        expected = "".join(step["delta"]["content"] for step in plan)
    stream = await scene.create(*plan)
    frames = await checked(stream)
    (message,) = data_of(frames, "message.completed")
    assert words(message["content"]) == expected
    assert await checked(await scene.attach(last_run(frames))) == frames


async def test_odd_characters_in_arguments_and_outputs(scene):
    arguments = '{"city": "' + ODD.replace("\\", "").replace('"', "") + '"}'
    frames = await checked(await scene.create(call("", name="get_weather"), *map(call, arguments)))
    (pending,) = last_run(frames)["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert pending["function"]["arguments"] == arguments


async def test_silence_is_filled_with_what_the_sdks_skip(scene, monkeypatch):
    """A comment alone: a blank line after it would be an empty event to openai-python."""
    monkeypatch.setattr("runs.contract.limits.KEEP_ALIVE_SECONDS", 0.02)
    stream = await scene.create(text("a"), gate("first"), text("b"), gate("second"), *ONE)
    for name in ("first", "second"):
        comments = 0
        while comments < 2:
            comments += (await stream.next()).count(": ping")
        scene.upstream.open(name)
    await checked(stream)
    assert stream.raw.count(b": ping\n") >= 4
