"""The stream of every way a model can answer: the exact events, and what each of them holds."""

import pytest

from tests.api.grammar import story
from tests.api.scene import checked, data_of, last_run
from tests.api.sse import Stream
from tests.api.stories import ONE, OPEN, RESUME, START, WRITING, WRITTEN, scene_fixture
from tests.api.stream_objects import words
from tests.upstream_script import call, finish, gate, raw, text

pytestmark = pytest.mark.slow

__all__ = ["scene_fixture"]

TWO = [call("", index=1, call_id="call_b", name="get_time"), call('{"at": 1}', index=1)]


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
