"""The messages a turn sends to the model."""

import pytest

from runs.contract.status import RunStatus
from runs.execution.prompt import build
from runs.models import RunStep
from runs.providers.base import estimate_tokens
from runs.wire.objects import required_action
from tests.execution.prompts import answered, ask, brief, called, driven, prompt, said
from tests.factories import make_call, make_message, make_run, make_step, text_part

pytestmark = pytest.mark.django_db


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
