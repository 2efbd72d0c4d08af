"""Where each setting of a run comes from: its own request, its assistant, or the default."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runs.console.differences import NAMES, Change, as_text, changes
from runs.models import Assistant, AssistantVersion, Run
from runs.operations.assistants import settings_of
from runs.operations.run_settings import INHERITED

#: The settings that a run page lists, with what counts where nobody says anything.
DEFAULTS = {
    "model": "",
    "instructions": "none",
    "tools": "none",
    "tool_choice": "auto",
    "parallel_tool_calls": "yes",
    "temperature": "1.0",
    "top_p": "1.0",
    "reasoning_effort": "the model's own",
    "response_format": "auto",
    "truncation_strategy": "auto",
    "max_prompt_tokens": "no limit",
    "max_completion_tokens": "no limit",
    "metadata": "none",
}
WORDS = NAMES | {
    "tool_choice": "Tool choice",
    "parallel_tool_calls": "Parallel tool calls",
    "response_format": "Format",
    "truncation_strategy": "Truncation",
    "max_prompt_tokens": "Prompt tokens at most",
    "max_completion_tokens": "Completion tokens at most",
}
#: Shown in one line each; the others have a box of their own.
SHORT = ("model", "temperature", "top_p", "reasoning_effort", "parallel_tool_calls")

RUN, ASSISTANT, BOTH, DEFAULT, UNKNOWN = "run", "assistant", "both", "default", ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it counted for the run."""

    key: str
    name: str
    text: str
    origin: str

    @property
    def short(self) -> bool:
        """Whether one line is enough."""
        return self.key in SHORT or self.origin == DEFAULT or len(self.text) < 20


@dataclass(frozen=True)
class Provenance:
    """The settings of a run. ``assistant``: as it is now; None if it was deleted."""

    run: Run
    assistant: Assistant | None

    @cached_property
    def all(self) -> list[Setting]:
        """All settings in their order."""
        return list(settings(self.run))

    @property
    def set(self) -> list[Setting]:
        """Those that somebody set."""
        return [setting for setting in self.all if setting.origin != DEFAULT]

    @property
    def defaults(self) -> list[Setting]:
        """Those that nobody set."""
        return [setting for setting in self.all if setting.origin == DEFAULT]

    @property
    def below(self) -> int:
        """What the page of versions is asked for, to begin with the run's."""
        return (self.run.assistant_version or 0) + 1

    @cached_property
    def since(self) -> list[Change]:
        """What has changed about the assistant since the run started from it."""
        run, now = self.run, self.assistant
        if not run.assistant_version or now is None or now.version == run.assistant_version:
            return []
        kept = AssistantVersion.objects.for_project(run.project).filter(
            assistant_id=run.assistant_id, version=run.assistant_version
        )
        return changes(kept[0].settings, settings_of(now)) if kept else []


def settings(run: Run) -> Iterator[Setting]:
    """Each setting with its text and origin."""
    for key, default in DEFAULTS.items():
        value = getattr(run, key)
        origin = origin_of(run, key, value)
        yield Setting(key, WORDS[key], default if origin == DEFAULT else text_of(value), origin)


def origin_of(run: Run, key: str, value: Any) -> str:
    """Who set a value. Runs that are older than this was noted cannot say it."""
    unset = value in (None, "", [], {}) if key != "parallel_tool_calls" else value
    if run.given is None:
        return DEFAULT if unset else UNKNOWN
    if key == "instructions" and "additional_instructions" in run.given:
        return RUN if key in run.given else BOTH
    if key in run.given:
        return RUN
    return ASSISTANT if key in INHERITED and not unset else DEFAULT


def text_of(value: Any) -> str:
    """A value as text: yes and no for a flag."""
    return ("yes" if value else "no") if isinstance(value, bool) else as_text(value) or "none"
