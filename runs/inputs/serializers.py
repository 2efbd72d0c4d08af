"""The request bodies of the API, which forms make too. Input only: answers come from ``runs.wire``.

Source: OpenAPI schemas ``CreateAssistantRequest``, ``CreateThreadRequest``,
``CreateMessageRequest``, ``CreateRunRequest``, ``CreateThreadAndRunRequest``,
``SubmitToolOutputsRunRequest`` and their ``Modify…`` counterparts.
"""

from typing import Any

from runs.contract import ids, limits
from runs.contract.status import OnActiveRun
from runs.inputs.bodies import Body, Tagged, missing
from runs.inputs.fields import Choice, Field, Flag, Free, Id, Items, Metadata, Number, Text, Whole
from runs.inputs.refused import Refused, expect, inside
from runs.inputs.tools import BareType, ToolResources, tool_choice, tools

MODEL_LENGTH = 256  # characters; the column's width


# --- parts that several bodies have ---


class JsonSchema(Body):
    """The shape an answer must have."""

    name = Text(pattern=limits.FUNCTION_NAME)
    description = Text(required=False)
    schema = Free(required=False)
    strict = Flag(required=False)


class JsonSchemaFormat(Body):
    """Answers of a given shape."""

    type = Text()
    json_schema = JsonSchema()


def response_format() -> Field:
    """The form of the model's answers."""
    kinds: dict[str, type[Body]] = {
        "text": BareType,
        "json_object": BareType,
        "json_schema": JsonSchemaFormat,
    }
    return Tagged(kinds, ("auto",), required=False)


class TruncationStrategy(Body):
    """How much of the thread the model is given."""

    type = Choice(("auto", "last_messages"))
    last_messages = Whole(1, required=False)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Both keys: the run object always shows both."""
        checked = {"last_messages": None, **super().to_internal_value(data)}
        if checked["type"] == "last_messages" and checked["last_messages"] is None:
            with inside("last_messages"):
                raise missing()
        return checked


# --- assistants ---


class ModifyAssistant(Body):
    """Body of POST /assistants/{assistant_id}."""

    model = Text(min_length=1, max_length=MODEL_LENGTH, required=False)
    name = Text(max_length=limits.NAME, required=False)
    description = Text(max_length=limits.DESCRIPTION, required=False)
    instructions = Text(max_length=limits.INSTRUCTIONS, required=False)
    tools = tools()
    tool_resources = ToolResources(required=False)
    metadata = Metadata(required=False)
    temperature = Number(0, 2, required=False)
    top_p = Number(0, 1, required=False)
    response_format = response_format()
    reasoning_effort = Choice(limits.REASONING_EFFORTS, required=False)


class CreateAssistant(ModifyAssistant):
    """Body of POST /assistants."""

    model = Text(min_length=1, max_length=MODEL_LENGTH)


# --- threads and messages ---


def expect_some_text(text: str) -> None:
    """Refuse a message without words."""
    if not text:
        raise Refused(None, "Message content must be non-empty.")


class PartText(Text):
    """The words of a text part."""

    def to_internal_value(self, data: Any) -> str:
        """The string itself."""
        text = super().to_internal_value(data)
        expect_some_text(text)
        return text


class TextPart(Body):
    """Words. ``text`` is a plain string in requests and an object in answers."""

    type = Text()
    text = PartText(max_length=limits.MESSAGE_TEXT)


class ImageUrl(Body):
    """Where an image is."""

    url = Text(min_length=1)
    detail = Choice(("auto", "low", "high"), required=False)


class ImageUrlPart(Body):
    """An image by its address."""

    type = Text()
    image_url = ImageUrl()


class ImageFile(Body):
    """Which file an image is."""

    file_id = Text(min_length=1, max_length=limits.ID_LENGTH)
    detail = Choice(("auto", "low", "high"), required=False)


class ImageFilePart(Body):
    """An image by its file: stored and echoed."""

    type = Text()
    image_file = ImageFile()


PARTS: dict[str, type[Body]] = {
    "text": TextPart,
    "image_url": ImageUrlPart,
    "image_file": ImageFilePart,
}


class Content(Field):
    """A message's content: a string, or an array of parts."""

    def to_internal_value(self, data: Any) -> str | list[dict[str, Any]]:
        """The string, or the checked parts."""
        expect(data, (str, list), "one of a string or an array of objects")
        if isinstance(data, str):
            expect_some_text(data)
            return Text(max_length=limits.MESSAGE_TEXT).to_internal_value(data)
        return Items(Tagged(PARTS), least=1).to_internal_value(data)


class Attachment(Body):
    """A file for the built-in tools: stored and echoed."""

    file_id = Text(max_length=limits.ID_LENGTH, required=False)
    tools = Items(Tagged({"code_interpreter": BareType, "file_search": BareType}), required=False)


class CreateMessage(Body):
    """Body of POST /threads/{thread_id}/messages."""

    role = Choice(("user", "assistant"))
    content = Content()
    attachments = Items(Attachment(), required=False)
    metadata = Metadata(required=False)


class ModifyMetadata(Body):
    """Body of the POSTs that change a message or a run."""

    metadata = Metadata(required=False)


class ModifyThread(ModifyMetadata):
    """Body of POST /threads/{thread_id}."""

    tool_resources = ToolResources(required=False)


class CreateThread(ModifyThread):
    """Body of POST /threads."""

    messages = Items(CreateMessage(), required=False)


# --- runs ---


class RunSettings(Body):
    """What both ways to create a run can set."""

    assistant_id = Id(ids.ASSISTANT)
    model = Text(min_length=1, max_length=MODEL_LENGTH, required=False)
    instructions = Text(max_length=limits.INSTRUCTIONS, required=False)
    tools = tools()
    metadata = Metadata(required=False)
    temperature = Number(0, 2, required=False)
    top_p = Number(0, 1, required=False)
    stream = Flag(required=False)
    # The published minimum of the two caps is 256; the original took less.
    max_prompt_tokens = Whole(1, required=False)
    max_completion_tokens = Whole(1, required=False)
    truncation_strategy = TruncationStrategy(required=False)
    tool_choice = tool_choice()
    parallel_tool_calls = Flag(required=False)
    response_format = response_format()
    # Runsite's own: seconds.
    expires_in = Whole(1, limits.CLOCK_SECONDS, required=False)
    action_expires_in = Whole(1, limits.CLOCK_SECONDS, required=False)


class CreateRun(RunSettings):
    """Body of POST /threads/{thread_id}/runs."""

    additional_instructions = Text(max_length=limits.INSTRUCTIONS, required=False)
    additional_messages = Items(CreateMessage(), required=False)
    reasoning_effort = Choice(limits.REASONING_EFFORTS, required=False)
    on_active_run = Choice(tuple(OnActiveRun), required=False)  # Runsite's own


class CreateThreadAndRun(RunSettings):
    """Body of POST /threads/runs."""

    thread = CreateThread(required=False)
    tool_resources = ToolResources(required=False)


class ToolOutput(Body):
    """What one call came to; no output is an empty one."""

    tool_call_id = Text(max_length=limits.ID_LENGTH)
    output = Text(required=False)


class SubmitToolOutputs(Body):
    """Body of POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs."""

    tool_outputs = Items(ToolOutput())
    stream = Flag(required=False)


class Nothing(Body):
    """Body of a POST that takes none."""
