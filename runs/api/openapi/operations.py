"""The operations in a table: what routes and bodies do not tell about themselves."""

from dataclasses import dataclass, field

from runs.api.openapi.parameters import (
    CREATED,
    INCLUDE,
    LAST_EVENT,
    METADATA,
    POLL_HELPER,
    RUN_FILTERS,
    page_of,
    query,
)
from runs.api.openapi.schemas import TEXT, Schema, word
from runs.api.openapi.words import OWN
from runs.contract import ids
from runs.inputs import serializers
from runs.inputs.bodies import Body

THREAD = "/threads/{thread_id}"
RUN = f"{THREAD}/runs/{{run_id}}"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    summary: str
    answer: str  # name of the schema of its 200
    tag: str
    description: str = ""
    body: type[Body] | None = None
    parameters: tuple[Schema, ...] = ()
    may_stream: bool = False
    only_streams: bool = False
    looks_up: bool = False  # an object that the body names may be missing
    headers: tuple[str, ...] = field(default=())


RUN_HEADERS = ("x-runsite-warning",)

#: (method, path) of every operation.
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/assistants"): Operation(
        "listAssistants",
        "List assistants",
        "ListAssistantsResponse",
        "Assistants",
        parameters=page_of(ids.ASSISTANT),
    ),
    ("POST", "/assistants"): Operation(
        "createAssistant",
        "Create assistant",
        "AssistantObject",
        "Assistants",
        body=serializers.CreateAssistant,
    ),
    ("GET", "/assistants/{assistant_id}"): Operation(
        "getAssistant", "Retrieve assistant", "AssistantObject", "Assistants"
    ),
    ("POST", "/assistants/{assistant_id}"): Operation(
        "modifyAssistant",
        "Modify assistant",
        "AssistantObject",
        "Assistants",
        "What is not given stays. `tools` and `metadata` are replaced, not merged.",
        body=serializers.ModifyAssistant,
    ),
    ("DELETE", "/assistants/{assistant_id}"): Operation(
        "deleteAssistant",
        "Delete assistant",
        "DeleteAssistantResponse",
        "Assistants",
        "Its runs stay, and go on.",
    ),
    ("GET", "/threads"): Operation(
        "listThreads",
        "List threads",
        "ListThreadsResponse",
        "Threads",
        f"{OWN} The project's threads.",
        parameters=(*page_of(ids.THREAD), METADATA, *CREATED),
    ),
    ("POST", "/threads"): Operation(
        "createThread",
        "Create thread",
        "ThreadObject",
        "Threads",
        "With first messages, if given.",
        body=serializers.CreateThread,
    ),
    ("GET", THREAD): Operation("getThread", "Retrieve thread", "ThreadObject", "Threads"),
    ("POST", THREAD): Operation(
        "modifyThread",
        "Modify thread",
        "ThreadObject",
        "Threads",
        body=serializers.ModifyThread,
    ),
    ("DELETE", THREAD): Operation(
        "deleteThread",
        "Delete thread",
        "DeleteThreadResponse",
        "Threads",
        "With all that belongs to it. An active run is cancelled, and its readers see that.",
    ),
    ("GET", f"{THREAD}/messages"): Operation(
        "listMessages",
        "List messages",
        "ListMessagesResponse",
        "Messages",
        parameters=(
            *page_of(ids.MESSAGE),
            query("run_id", TEXT, "Messages that this run wrote; none if there is no such run."),
        ),
    ),
    ("POST", f"{THREAD}/messages"): Operation(
        "createMessage",
        "Create message",
        "MessageObject",
        "Messages",
        "400 while a run of the thread is active.",
        body=serializers.CreateMessage,
    ),
    ("GET", f"{THREAD}/messages/{{message_id}}"): Operation(
        "getMessage", "Retrieve message", "MessageObject", "Messages"
    ),
    ("POST", f"{THREAD}/messages/{{message_id}}"): Operation(
        "modifyMessage",
        "Modify message",
        "MessageObject",
        "Messages",
        body=serializers.ModifyMetadata,
    ),
    ("DELETE", f"{THREAD}/messages/{{message_id}}"): Operation(
        "deleteMessage", "Delete message", "DeleteMessageResponse", "Messages"
    ),
    ("POST", "/threads/runs"): Operation(
        "createThreadAndRun",
        "Create thread and run",
        "RunObject",
        "Runs",
        "A new thread, and a run on it.",
        body=serializers.CreateThreadAndRun,
        may_stream=True,
        looks_up=True,
        headers=RUN_HEADERS,
    ),
    ("GET", "/runs"): Operation(
        "listAllRuns",
        "List runs of all threads",
        "ListRunsResponse",
        "Runs",
        f"{OWN} The project's runs.",
        parameters=(*page_of(ids.RUN), *RUN_FILTERS),
    ),
    ("GET", f"{THREAD}/runs"): Operation(
        "listRuns", "List runs", "ListRunsResponse", "Runs", parameters=page_of(ids.RUN)
    ),
    ("POST", f"{THREAD}/runs"): Operation(
        "createRun",
        "Create run",
        "RunObject",
        "Runs",
        "The run takes from its assistant what its own body does not give.",
        body=serializers.CreateRun,
        parameters=(INCLUDE,),
        may_stream=True,
        looks_up=True,
        headers=RUN_HEADERS,
    ),
    ("GET", RUN): Operation(
        "getRun",
        "Retrieve run",
        "RunObject",
        "Runs",
        parameters=(POLL_HELPER,),
        headers=("openai-poll-after-ms", *RUN_HEADERS),
    ),
    ("POST", RUN): Operation(
        "modifyRun",
        "Modify run",
        "RunObject",
        "Runs",
        "In any status.",
        body=serializers.ModifyMetadata,
        headers=RUN_HEADERS,
    ),
    ("POST", f"{RUN}/cancel"): Operation(
        "cancelRun",
        "Cancel run",
        "RunObject",
        "Runs",
        "A run that nobody is working on is `cancelled` at once, one in the middle of a turn "
        "first `cancelling`. 400 if it has ended.",
        headers=RUN_HEADERS,
    ),
    ("POST", f"{RUN}/submit_tool_outputs"): Operation(
        "submitToolOuputsToRun",
        "Submit tool outputs",
        "RunObject",
        "Runs",
        "One output for each pending call. The same outputs again are no error: the answer is "
        "the run as it is now.",
        body=serializers.SubmitToolOutputs,
        may_stream=True,
        headers=RUN_HEADERS,
    ),
    ("GET", f"{RUN}/steps"): Operation(
        "listRunSteps",
        "List run steps",
        "ListRunStepsResponse",
        "Run steps",
        parameters=(*page_of(ids.STEP), INCLUDE),
    ),
    ("GET", f"{RUN}/steps/{{step_id}}"): Operation(
        "getRunStep",
        "Retrieve run step",
        "RunStepObject",
        "Run steps",
        parameters=(INCLUDE,),
    ),
    ("GET", f"{RUN}/stream"): Operation(
        "attachToRun",
        "Attach to a run",
        "AssistantStreamEvent",
        "Runs",
        f"{OWN} The events of any run, running or ended, from its beginning or past a cursor, to "
        "as many readers as like.",
        parameters=(
            query(
                "after",
                {"type": "integer", "minimum": 0},
                "Start past this event. A number beyond the log's end is no error.",
            ),
            query(
                "follow",
                word("0", "1", "true", "false"),
                "`1`: stay open while the run waits for tool outputs.",
            ),
            LAST_EVENT,
        ),
        only_streams=True,
        headers=RUN_HEADERS,
    ),
}
