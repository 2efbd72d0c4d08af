"""Tables. Columns, constraints and querysets; no verbs."""

from runs.models.access import ApiKey, LoginLink, Member, Project
from runs.models.assistant import Assistant, AssistantVersion
from runs.models.cleanup import Cleanup
from runs.models.event import EventChunk
from runs.models.idempotency import IdempotencyKey
from runs.models.output_schema import OutputSchema
from runs.models.run import Run, RunStep, ToolCall
from runs.models.thread import Message, Thread
from runs.models.usage import Price, UsageEntry
from runs.models.view import SavedView

__all__ = [
    "ApiKey",
    "Assistant",
    "AssistantVersion",
    "Cleanup",
    "EventChunk",
    "IdempotencyKey",
    "LoginLink",
    "Member",
    "Message",
    "OutputSchema",
    "Price",
    "Project",
    "Run",
    "RunStep",
    "SavedView",
    "Thread",
    "ToolCall",
    "UsageEntry",
]
