"""Threads, messages and assistants."""

import pytest

from runs import operations
from runs.contract.errors import NotFound
from runs.models import Assistant, Message, Thread
from tests.factories import (
    WEATHER,
    make_assistant,
    make_message,
    make_project,
    make_run,
    make_thread,
)

pytestmark = pytest.mark.django_db

IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}


def text(value):
    return {"type": "text", "text": {"value": value, "annotations": []}}


def test_a_thread_with_messages():
    thread = operations.create_thread(
        make_project(),
        {
            "messages": [
                {"role": "user", "content": "a", "metadata": {"k": "v"}},
                {"role": "assistant", "content": [{"type": "text", "text": "b"}, IMAGE]},
            ],
            "metadata": {"m": "n"},
            "tool_resources": None,
        },
    )
    first, second = thread.messages.all()
    assert (first.role, first.content, first.metadata) == ("user", [text("a")], {"k": "v"})
    assert (second.role, second.content) == ("assistant", [text("b"), IMAGE])
    assert first.completed_at is not None
    assert (thread.metadata, thread.tool_resources) == ({"m": "n"}, {})


def test_a_thread_without_anything():
    thread = operations.create_thread(make_project(), {})
    assert (thread.metadata, thread.tool_resources, thread.messages.count()) == ({}, {}, 0)


def test_an_update_replaces_what_is_given():
    thread = make_thread(metadata={"a": "1"}, tool_resources={"x": {}})
    operations.update_thread(thread, {"metadata": {"b": "2"}})
    found = Thread.objects.get()
    assert (found.metadata, found.tool_resources) == ({"b": "2"}, {"x": {}})
    operations.update_thread(thread, {"metadata": None})
    assert Thread.objects.get().metadata == {}


def test_messages_are_added_in_order():
    thread = make_thread()
    for content in "abc":
        operations.add_message(thread, {"role": "user", "content": content})
    assert [m.content for m in thread.messages.all()] == [[text(c)] for c in "abc"]


def test_a_message_after_a_run_has_ended():
    run = make_run(status="completed")
    assert operations.add_message(run.thread, {"role": "user", "content": "x"}).run_id is None


def test_only_the_metadata_of_a_message_changes():
    message = make_message(metadata={"a": "1"})
    operations.update_message(message, {"metadata": {"b": "2"}, "content": "no"})
    found = Message.objects.get()
    assert (found.metadata, found.content) == ({"b": "2"}, [text("Hello")])


def test_a_message_is_deleted():
    operations.delete_message(make_message())
    assert not Message.objects.exists()


GONE = {
    "thread": (make_thread, lambda row: operations.update_thread(row, {"metadata": {}})),
    "message": (make_message, lambda row: operations.update_message(row, {"metadata": {}})),
    "assistant": (make_assistant, lambda row: operations.update_assistant(row, {"name": "x"})),
    "thread of a new message": (
        make_thread,
        lambda row: operations.add_message(row, {"role": "user", "content": "x"}),
    ),
}


@pytest.mark.parametrize(("make", "change"), GONE.values(), ids=GONE)
def test_what_was_deleted_meanwhile_is_not_found(make, change):
    row = make()
    type(row).objects.filter(number=row.number).delete()
    with pytest.raises(NotFound, match=row.id):
        change(row)
    assert not type(row).objects.filter(number=row.number).exists()


def test_an_assistant_with_its_defaults():
    assistant = operations.create_assistant(make_project(), {"model": "m", "name": None})
    assert (assistant.model, assistant.name, assistant.tools) == ("m", None, [])
    assert (assistant.tool_resources, assistant.metadata) == ({}, {})


def test_code_interpreter_brings_its_resources():
    assistant = operations.create_assistant(
        make_project(), {"model": "m", "tools": [{"type": "code_interpreter"}]}
    )
    assert assistant.tool_resources == {"code_interpreter": {"file_ids": []}}


def test_an_assistant_is_updated_field_by_field():
    assistant = make_assistant(tools=[WEATHER], temperature=0.5, metadata={"a": "b"})
    operations.update_assistant(
        assistant, {"name": "New", "tools": None, "temperature": None, "metadata": {"c": "d"}}
    )
    found = Assistant.objects.get()
    assert (found.name, found.tools, found.temperature) == ("New", [], None)
    assert (found.metadata, found.instructions) == ({"c": "d"}, "Be brief.")


def test_a_model_of_null_changes_nothing():
    assistant = make_assistant(model="m")
    assert operations.update_assistant(assistant, {"model": None, "name": "x"}).model == "m"
    assert (Assistant.objects.get().model, Assistant.objects.get().name) == ("m", "x")


def test_empty_columns_of_two_assistants_are_not_one_object():
    """A default that is shared would leak what one of them adds."""
    one, two = make_assistant(), make_assistant()
    operations.update_assistant(one, {"metadata": None, "tools": None})
    one.metadata["leak"] = "x"
    one.tools.append(WEATHER)
    operations.update_assistant(two, {"metadata": None, "tools": None})
    assert (two.metadata, two.tools) == ({}, [])


def test_deleting_an_assistant_leaves_its_runs():
    assistant = make_assistant()
    run = make_run(assistant=assistant)
    operations.delete_assistant(assistant)
    run.refresh_from_db()
    assert run.status == "queued"
