"""What leaves the server, as JSON schemas: one for each function of ``runs.wire.objects``.

The names are those of the published OpenAPI file. Every property is always there.
"""

from runs.api.openapi.inputs import METADATA
from runs.api.openapi.schemas import (
    ANY_OBJECT,
    TEXT,
    WHOLE,
    Schema,
    array,
    closed,
    id_schema,
    nullable,
    ref,
    word,
)
from runs.api.openapi.words import WORDS
from runs.contract import ids, limits
from runs.contract.status import MessageStatus, RunStatus, StepStatus

TIME: Schema = {"type": "integer", "format": "unixtime"}
TIME_OR_NULL = nullable(TIME)
TEXT_OR_NULL = nullable(TEXT)


def wire(description: str, /, **properties: Schema) -> Schema:
    """An object of the API, its properties with their words."""
    told = {
        name: {**schema, "description": WORDS[name]} if name in WORDS else schema
        for name, schema in properties.items()
    }
    return closed(told, description=description)


RESPONSE_FORMAT: Schema = {
    "oneOf": [
        word("auto"),
        closed({"type": word("text")}),
        closed({"type": word("json_object")}),
        ref("JsonSchemaFormat"),
    ]
}
TOOL_CHOICE: Schema = {
    "oneOf": [
        word("none", "auto", "required"),
        ref("FunctionChoice"),
        closed({"type": word("code_interpreter")}),
        closed({"type": word("file_search")}),
    ]
}
TOOLS = array(
    {
        "oneOf": [
            closed({"type": word("code_interpreter")}),
            ref("FileSearchTool"),
            ref("FunctionTool"),
        ]
    },
    maxItems=limits.TOOLS,
)
TOOL_RESOURCES = nullable(ref("ToolResources"))
NUMBER_0_2 = {"type": "number", "minimum": 0, "maximum": 2}
NUMBER_0_1 = {"type": "number", "minimum": 0, "maximum": 1}
EFFORT = nullable(word(*limits.REASONING_EFFORTS))

ASSISTANT = wire(
    "A model with instructions and tools.",
    id=id_schema(ids.ASSISTANT),
    object=word("assistant"),
    created_at=TIME,
    name=nullable(TEXT | {"maxLength": limits.NAME}),
    description=nullable(TEXT | {"maxLength": limits.DESCRIPTION}),
    model=TEXT,
    instructions=nullable(TEXT | {"maxLength": limits.INSTRUCTIONS}),
    tools=TOOLS,
    top_p=NUMBER_0_1,
    temperature=NUMBER_0_2,
    reasoning_effort=EFFORT,
    tool_resources=TOOL_RESOURCES,
    metadata=ref("Metadata"),
    response_format=RESPONSE_FORMAT,
)

THREAD = wire(
    "A conversation.",
    id=id_schema(ids.THREAD),
    object=word("thread"),
    created_at=TIME,
    metadata=ref("Metadata"),
    tool_resources=TOOL_RESOURCES,
)

TEXT_PART_OUT = closed(
    {
        "type": word("text"),
        "text": closed({"value": TEXT, "annotations": array(ANY_OBJECT, maxItems=0)}),
    },
    description="Words.",
)
REFUSAL_PART = closed(
    {"type": word("refusal"), "refusal": TEXT}, description="The model's refusal to answer."
)

MESSAGE = wire(
    "A message of a thread.",
    id=id_schema(ids.MESSAGE),
    object=word("thread.message"),
    created_at=TIME,
    assistant_id=nullable(id_schema(ids.ASSISTANT)),
    thread_id=id_schema(ids.THREAD),
    run_id=nullable(id_schema(ids.RUN)),
    role=word("user", "assistant"),
    content=array(
        {
            "oneOf": [
                ref("MessageContentTextObject"),
                ref("MessageContentRefusalObject"),
                ref("ImageUrlPart"),
                ref("ImageFilePart"),
            ]
        }
    ),
    attachments=nullable(array(ref("Attachment"))),
    metadata=ref("Metadata"),
    status=word(*MessageStatus),
    incomplete_details=nullable(
        closed(
            {
                "reason": word(
                    "content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"
                )
            }
        )
    ),
    completed_at=TIME_OR_NULL,
    incomplete_at=TIME_OR_NULL,
)

CALL = closed(
    {
        "id": TEXT,
        "type": word("function"),
        "function": closed({"name": TEXT, "arguments": TEXT}),
    },
    description="A call of a function that the client is asked to make.",
)
USAGE = nullable(
    closed(
        {
            "prompt_tokens": WHOLE,
            "completion_tokens": WHOLE,
            "total_tokens": WHOLE,
            "prompt_token_details": closed({"cached_tokens": WHOLE}),
            "completion_tokens_details": closed({"reasoning_tokens": WHOLE}),
        }
    )
)
TRUNCATION = closed(
    {
        "type": word("auto", "last_messages"),
        "last_messages": nullable({"type": "integer", "minimum": 1}),
    }
)

RUN = wire(
    "The work of an assistant on a thread.",
    id=id_schema(ids.RUN),
    object=word("thread.run"),
    created_at=TIME,
    assistant_id=id_schema(ids.ASSISTANT),
    thread_id=id_schema(ids.THREAD),
    status=word(*RunStatus),
    started_at=TIME_OR_NULL,
    expires_at=TIME_OR_NULL,
    cancelled_at=TIME_OR_NULL,
    failed_at=TIME_OR_NULL,
    completed_at=TIME_OR_NULL,
    required_action=nullable(
        closed(
            {
                "type": word("submit_tool_outputs"),
                "submit_tool_outputs": closed({"tool_calls": array(ref("RunToolCallObject"))}),
            }
        ),
        "What the run waits for: tool outputs.",
    ),
    last_error=nullable(
        closed(
            {
                "code": word("server_error", "rate_limit_exceeded", "invalid_prompt"),
                "message": TEXT,
            }
        ),
        "Why the run failed.",
    ),
    incomplete_details=nullable(
        closed({"reason": word("max_completion_tokens", "max_prompt_tokens", "content_filter")})
    ),
    model=TEXT,
    instructions=TEXT_OR_NULL,
    tools=TOOLS,
    tool_resources=TOOL_RESOURCES,
    metadata=ref("Metadata"),
    temperature=NUMBER_0_2,
    top_p=NUMBER_0_1,
    reasoning_effort=EFFORT,
    max_prompt_tokens=nullable({"type": "integer", "minimum": 1}),
    max_completion_tokens=nullable({"type": "integer", "minimum": 1}),
    truncation_strategy=TRUNCATION,
    response_format=RESPONSE_FORMAT,
    tool_choice=TOOL_CHOICE,
    parallel_tool_calls={"type": "boolean"},
    usage=USAGE,
)

STEP_CALL = closed(
    {
        "id": TEXT,
        "type": word("function"),
        "function": closed(
            {"name": TEXT, "arguments": TEXT, "output": nullable(TEXT, "Null until submitted.")}
        ),
    },
    description="A tool call of a step.",
)
MESSAGE_CREATION = closed(
    {
        "type": word("message_creation"),
        "message_creation": closed({"message_id": id_schema(ids.MESSAGE)}),
    },
    description="The step wrote a message.",
)
TOOL_CALLS = closed(
    {
        "type": word("tool_calls"),
        "tool_calls": array(ref("RunStepDetailsToolCallsFunctionObject")),
    },
    description="The step called functions.",
)

STEP = wire(
    "A step of a run: a message written, or functions called.",
    id=id_schema(ids.STEP),
    object=word("thread.run.step"),
    created_at=TIME,
    run_id=id_schema(ids.RUN),
    assistant_id=id_schema(ids.ASSISTANT),
    thread_id=id_schema(ids.THREAD),
    type=word("message_creation", "tool_calls"),
    status=word(*StepStatus),
    cancelled_at=TIME_OR_NULL,
    completed_at=TIME_OR_NULL,
    expired_at=TIME_OR_NULL,
    expires_at=TIME_OR_NULL,
    failed_at=TIME_OR_NULL,
    last_error=nullable(
        closed({"code": word("server_error", "rate_limit_exceeded"), "message": TEXT})
    ),
    step_details={
        "oneOf": [ref("RunStepDetailsMessageCreationObject"), ref("RunStepDetailsToolCallsObject")]
    },
    usage=USAGE,
    metadata=ref("Metadata"),
)


def list_schema(name: str, prefix: str) -> Schema:
    """A page of objects."""
    cursor = nullable(id_schema(prefix), "Null if the page is empty.")
    return wire(
        "A page.",
        object=word("list"),
        data=array(ref(name), maxItems=limits.PAGE_MAX),
        first_id=cursor,
        last_id=cursor,
        has_more={"type": "boolean"},
    )


def deleted_schema(kind: str, prefix: str) -> Schema:
    """The answer to a deletion."""
    return wire(
        "It is gone.",
        id=id_schema(prefix),
        object=word(f"{kind}.deleted"),
        deleted={"type": "boolean", "const": True},
    )


SCHEMAS: dict[str, Schema] = {
    "AssistantObject": ASSISTANT,
    "ThreadObject": THREAD,
    "MessageObject": MESSAGE,
    "MessageContentTextObject": TEXT_PART_OUT,
    "MessageContentRefusalObject": REFUSAL_PART,
    "RunObject": RUN,
    "RunToolCallObject": CALL,
    "RunStepObject": STEP,
    "RunStepDetailsMessageCreationObject": MESSAGE_CREATION,
    "RunStepDetailsToolCallsObject": TOOL_CALLS,
    "RunStepDetailsToolCallsFunctionObject": STEP_CALL,
    "ListAssistantsResponse": list_schema("AssistantObject", ids.ASSISTANT),
    "ListThreadsResponse": list_schema("ThreadObject", ids.THREAD),
    "ListMessagesResponse": list_schema("MessageObject", ids.MESSAGE),
    "ListRunsResponse": list_schema("RunObject", ids.RUN),
    "ListRunStepsResponse": list_schema("RunStepObject", ids.STEP),
    "DeleteAssistantResponse": deleted_schema("assistant", ids.ASSISTANT),
    "DeleteThreadResponse": deleted_schema("thread", ids.THREAD),
    "DeleteMessageResponse": deleted_schema("thread.message", ids.MESSAGE),
    "Metadata": METADATA,
}
