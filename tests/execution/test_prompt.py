"""What a turn asks the model."""

import itertools

import pytest
from django.utils import timezone

from runs.contract.status import RunStatus
from runs.execution.prompt import OverBudget, build
from runs.models import RunStep
from runs.providers.base import estimate_tokens
from runs.wire.objects import required_action
from tests.factories import (
    WEATHER,
    make_call,
    make_message,
    make_run,
    make_step,
    make_thread,
    text_part,
)

pytestmark = pytest.mark.django_db

numbers = itertools.count(1)


@pytest.fixture
def thread():
    return make_thread()


def ask(thread, text="Question"):
    return make_message(thread, text)


def driven(thread, **columns):
    columns = {"instructions": None} | columns
    return make_run(thread, status=RunStatus.IN_PROGRESS, **columns)


def said(run, text="Answer", turn=1, **columns):
    """A turn of the run that wrote a message."""
    step = {"status": columns.pop("step_status", "completed")}
    interrupted = columns.get("interrupted", False)
    message = make_message(run.thread, text, role="assistant", run=run, **columns)
    make_step(run, turn=turn, message_id=message.id, interrupted=interrupted, **step)
    return message


def called(run, *outputs, turn=1, index=0, text=None):
    """A turn of the run that called tools, perhaps after some text."""
    if text is not None:
        said(run, text, turn=turn)
        index = 1
    step = make_step(run, "tool_calls", status="completed", turn=turn, index=index)
    return [
        make_call(step, id=f"call_{next(numbers)}", output=output, submitted_at=timezone.now())
        for output in outputs
    ]


def answered(thread, *outputs, text="Answer"):
    """An earlier run that called tools, if there are outputs, and then answered."""
    run = make_run(thread, status=RunStatus.COMPLETED)
    if outputs:
        called(run, *outputs)
    said(run, text, turn=2)
    return run


def prompt(run, context_tokens=None):
    return build(run, context_tokens).request


def brief(run, context_tokens=None):
    """The messages as text, one letter for the role."""
    words = {"system": "S", "user": "U", "assistant": "A", "tool": "T"}
    told = []
    for message in prompt(run, context_tokens).messages:
        calls = f"+{len(message['tool_calls'])}" if "tool_calls" in message else ""
        told.append(f"{words[message['role']]}:{message['content']}{calls}")
    return told


def test_instructions_come_first(thread):
    ask(thread)
    assert brief(driven(thread, instructions="Be brief.")) == ["S:Be brief.", "U:Question"]


@pytest.mark.parametrize("instructions", [None, ""])
def test_no_instructions_no_system_message(thread, instructions):
    ask(thread)
    assert brief(driven(thread, instructions=instructions)) == ["U:Question"]


def test_history_is_oldest_first(thread):
    ask(thread, "1")
    answered(thread, text="2")
    ask(thread, "3")
    answered(thread, text="4")
    ask(thread, "5")
    assert brief(driven(thread)) == ["U:1", "A:2", "U:3", "A:4", "U:5"]


def test_an_earlier_runs_tool_exchange_stands_before_its_answer(thread):
    ask(thread, "1")
    answered(thread, "sunny", "warm", text="Nice.")
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "A:None+2", "T:sunny", "T:warm", "A:Nice.", "U:2"]


def test_this_runs_turns_come_last(thread):
    ask(thread, "1")
    run = driven(thread, turn=2)
    (first,) = called(run, "sunny", text="Let me see.")
    called(run, "noon", turn=2)
    messages = prompt(run).messages
    assert brief(run) == ["U:1", "A:Let me see.+1", "T:sunny", "A:None+1", "T:noon"]
    assert messages[1]["tool_calls"] == [
        {
            "id": first.id,
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
        }
    ]
    assert messages[2] == {"role": "tool", "tool_call_id": first.id, "content": "sunny"}


def test_outputs_stand_in_the_order_of_the_calls(thread):
    ask(thread)
    run = driven(thread, turn=1)
    calls = called(run, *"abcdefghijkl")
    messages = prompt(run).messages[1:]
    assert [c["id"] for c in messages[0]["tool_calls"]] == [c.id for c in calls]
    assert [m["content"] for m in messages[1:]] == list("abcdefghijkl")


def test_what_a_lost_attempt_said_is_kept_out(thread):
    ask(thread)
    run = driven(thread)
    said(run, "Half", step_status="failed", status="incomplete", interrupted=True)
    assert brief(run) == ["U:Question"]


def test_calls_that_nobody_answered_are_kept_out(thread):
    ask(thread, "1")
    expired = make_run(thread, status=RunStatus.EXPIRED)
    step = make_step(expired, "tool_calls", status="expired")
    make_call(step)
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "U:2"]


def test_text_before_calls_that_nobody_answered_stays(thread):
    ask(thread, "1")
    expired = make_run(thread, status=RunStatus.EXPIRED)
    said(expired, "Let me see.")
    make_call(make_step(expired, "tool_calls", status="expired", turn=1, index=1))
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "A:Let me see.", "U:2"]


def test_what_a_cancelled_run_had_said_stays(thread):
    ask(thread, "1")
    run = make_run(thread, status=RunStatus.CANCELLED)
    said(run, "Half", step_status="cancelled", status="incomplete")
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "A:Half", "U:2"]


def test_a_message_without_a_word_is_kept_out(thread):
    """Cancelled before its first delta; some upstreams refuse an empty message."""
    ask(thread, "1")
    run = make_run(thread, status=RunStatus.CANCELLED)
    said(run, "", step_status="cancelled", status="incomplete")
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "U:2"]


def test_a_message_that_is_being_written_is_kept_out(thread):
    ask(thread)
    run = driven(thread)
    make_message(thread, run=run, role="assistant", content=[], status="in_progress")
    assert brief(run) == ["U:Question"]


def test_a_deleted_answer_is_gone(thread):
    ask(thread, "1")
    run = make_run(thread, status=RunStatus.COMPLETED)
    said(run, "Never mind").delete()
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "U:2"]


def test_a_deleted_answer_leaves_its_tool_exchange(thread):
    ask(thread, "1")
    run = make_run(thread, status=RunStatus.COMPLETED)
    called(run, "sunny")
    said(run, "Never mind", turn=2).delete()
    ask(thread, "2")
    assert brief(driven(thread)) == ["U:1", "A:None+1", "T:sunny", "U:2"]


def test_a_refusal_is_told_as_text(thread):
    make_message(thread, role="assistant", content=[{"type": "refusal", "refusal": "No."}])
    assert brief(driven(thread)) == ["A:No."]


def test_several_texts_are_one(thread):
    make_message(thread, content=[text_part("a"), text_part("b")])
    assert brief(driven(thread)) == ["U:a\nb"]


def test_images_pass_through(thread):
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}
    file = {"type": "image_file", "image_file": {"file_id": "file_1"}}
    make_message(thread, content=[text_part("What is this?"), image, file])
    assert prompt(driven(thread)).messages == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                image,
                {"type": "text", "text": "[image file file_1]"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://x/y.png", "[image https://x/y.png]"),
        ("data:image/png;base64,aGk=", "[image data:image/png]"),
        ("data:image/svg+xml,%3Csvg%3E;", "[image data:image/svg+xml]"),
        ("DATA:image/png;base64,aGk=", "[image DATA:image/png]"),
    ],
)
def test_an_image_of_the_assistant_is_told_in_words(thread, url, told):
    image = {"type": "image_url", "image_url": {"url": url}}
    make_message(thread, role="assistant", content=[text_part("Here."), image])
    assert prompt(driven(thread)).messages == [
        {"role": "assistant", "content": f"Here.\n{told}"},
    ]


def conversation(thread, count):
    for i in range(count):
        ask(thread, f"u{i}")
        answered(thread, "out", text=f"a{i}")
    ask(thread, "last")


LAST = {
    1: ["U:last"],
    2: ["A:a1", "U:last"],
    3: ["U:u1", "A:None+1", "T:out", "A:a1", "U:last"],
    4: ["A:a0", "U:u1", "A:None+1", "T:out", "A:a1", "U:last"],
    99: [
        "U:u0", "A:None+1", "T:out", "A:a0", "U:u1", "A:None+1", "T:out", "A:a1", "U:last",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("count", "kept"), LAST.items())
def test_last_messages(thread, count, kept):
    conversation(thread, 2)
    strategy = {"type": "last_messages", "last_messages": count}
    assert brief(driven(thread, truncation_strategy=strategy)) == kept


def test_last_messages_never_splits_an_exchange_nor_drops_this_runs(thread):
    ask(thread, "1")
    run = driven(thread, turn=2, truncation_strategy={"type": "last_messages", "last_messages": 1})
    called(run, "x", "y", text="Let me see.")
    called(run, "z", turn=2)
    assert brief(run) == ["U:1", "A:Let me see.+2", "T:x", "T:y", "A:None+1", "T:z"]


def test_truncation_auto_sends_all(thread):
    conversation(thread, 3)
    run = driven(thread, truncation_strategy={"type": "auto", "last_messages": None})
    assert len(brief(run)) == 13


def test_a_known_context_drops_the_oldest_exchanges(thread):
    conversation(thread, 3)
    run = driven(thread, instructions="Be brief.", max_completion_tokens=10)
    whole = brief(run)
    shorter = brief(run, context_tokens=estimate_tokens(prompt(run).messages))
    assert shorter[0] == "S:Be brief."
    assert 1 < len(shorter) < len(whole)
    assert shorter[1:] == whole[len(whole) - len(shorter) + 1 :]
    assert not shorter[1].startswith("T:")


def test_a_context_that_holds_nothing_still_gets_the_question(thread):
    conversation(thread, 2)
    assert brief(driven(thread), context_tokens=1) == ["U:last"]


def test_max_prompt_tokens_drops_the_oldest(thread):
    conversation(thread, 2)
    question = estimate_tokens([{"role": "user", "content": "last"}])
    assert brief(driven(thread, max_prompt_tokens=question + 1)) == ["U:last"]


def test_max_prompt_tokens_that_the_question_alone_exceeds(thread):
    ask(thread, "x" * 400)
    with pytest.raises(OverBudget) as over:
        prompt(driven(thread, max_prompt_tokens=50))
    assert over.value.reason == "max_prompt_tokens"


def test_max_prompt_tokens_counts_the_turns_before(thread):
    ask(thread)
    run = driven(thread, turn=1, max_prompt_tokens=100, usage=spent(prompt=99))
    with pytest.raises(OverBudget):
        prompt(run)


def spent(prompt=0, completion=0):
    return {"prompt_tokens": prompt, "completion_tokens": completion}


@pytest.mark.parametrize(("used", "left"), [(0, 50), (20, 30), (49, 1)])
def test_max_completion_tokens_is_what_remains(thread, used, left):
    run = driven(thread, max_completion_tokens=50, usage=spent(completion=used))
    assert prompt(run).max_completion_tokens == left


@pytest.mark.parametrize("used", [50, 51])
def test_nothing_remains(thread, used):
    with pytest.raises(OverBudget) as over:
        prompt(driven(thread, max_completion_tokens=50, usage=spent(completion=used)))
    assert over.value.reason == "max_completion_tokens"


NAMED = {"type": "function", "function": {"name": "get_weather"}}
CHOICES = [
    ("required", 0, "required"),
    ("required", 1, "auto"),
    (NAMED, 0, NAMED),
    (NAMED, 1, "auto"),
    ("auto", 1, "auto"),
    ("none", 0, "none"),
    ("none", 1, "none"),
    (None, 0, None),
    ({"type": "file_search"}, 0, None),
]


@pytest.mark.parametrize(("choice", "turn", "sent"), CHOICES)
def test_a_demand_to_call_holds_for_the_first_turn_only(thread, choice, turn, sent):
    run = driven(thread, tools=[WEATHER], tool_choice=choice, turn=turn)
    assert prompt(run).tool_choice == sent


def test_without_tools_nothing_is_said_of_them(thread):
    request = prompt(driven(thread, tools=[], tool_choice="auto", parallel_tool_calls=False))
    assert (request.tools, request.tool_choice, request.parallel_tool_calls) == ([], None, None)


def test_built_in_tools_are_not_offered(thread):
    request = prompt(driven(thread, tools=[{"type": "code_interpreter"}, WEATHER]))
    assert request.tools == [WEATHER]


def test_null_fields_of_a_tool_are_dropped(thread):
    function = {"name": "f", "description": None, "parameters": None, "strict": None}
    request = prompt(driven(thread, tools=[{"type": "function", "function": function}]))
    assert request.tools == [{"type": "function", "function": {"name": "f"}}]


def test_settings_pass_through(thread):
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    request = prompt(
        driven(
            thread,
            model="m",
            tools=[WEATHER],
            temperature=0.0,
            top_p=0.5,
            response_format=schema,
            reasoning_effort="low",
            parallel_tool_calls=False,
        )
    )
    assert request.model == "m"
    assert (request.temperature, request.top_p) == (0.0, 0.5)
    assert (request.response_format, request.reasoning_effort) == (schema, "low")
    assert request.parallel_tool_calls is False


def test_auto_as_a_format_is_not_said(thread):
    assert prompt(driven(thread, response_format="auto")).response_format is None


def test_what_is_not_said_does_not_reach_the_upstream(scene):
    scene.drive(scene.create("text-1"))
    (request,) = scene.upstream.requests
    assert set(request.body) == {
        "model", "messages", "stream", "stream_options", "tools", "parallel_tool_calls",
    }  # fmt: skip


def test_additional_instructions_and_messages(scene):
    scene.drive(
        scene.create(
            "text-1",
            additional_instructions="In verse.",
            additional_messages=[{"role": "user", "content": "More"}],
        )
    )
    (request,) = scene.upstream.requests
    assert request.messages == [
        {"role": "system", "content": "Be brief.\n\nIn verse."},
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": "More"},
    ]


def test_the_ids_a_run_has_used_up(thread):
    ask(thread, "1")
    answered(thread, "old")
    run = driven(thread, turn=1)
    calls = called(run, "x", "y")
    assert build(run, None).used_ids == {call.id for call in calls}
    assert RunStep.objects.filter(run=run).count() == 1
    assert required_action(calls)["type"] == "submit_tool_outputs"
