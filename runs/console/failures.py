"""Why something did not end well, for people: a heading in plain words, and what to do about it.

The code of an error says little, and the message says all of it to who knows the words. So the
headings go by how the message begins: ``runs/providers/faults.py`` lists what upstreams do.
"""

from dataclasses import dataclass
from typing import Any

from runs.models import Run

LATER = "Run it again later."
FEWER = "Run it again later, or raise the limit there."
PAY = "Settle the account there, then run it again."
CHANGE = "Change its messages or settings with “Rerun with edits”."


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, and what to do: ``remedy`` is empty where ``message`` says it."""

    code: str
    message: str
    heading: str
    remedy: str


#: Heading and remedy, by how the message of an error begins.
BY_MESSAGE = {
    "The upstream refused the request": ("The model's server refused the request", CHANGE),
    "The upstream refused the key": ("The model's server refused the key", ""),
    "The upstream wants to be paid": ("The model's server wants to be paid first", PAY),
    "The upstream does not know the model": ("The model's server does not know the model", ""),
    "The upstream is limiting requests": ("The model's server is limiting requests", FEWER),
    "The upstream failed": ("The model's server failed", LATER),
    "The upstream wants to redirect": ("The model's server has another address", ""),
    "The upstream could not be reached": ("The model's server could not be reached", ""),
    "The upstream has a certificate": ("The model's server is not trusted", ""),
    "The upstream did not answer": ("The model's server did not answer in time", LATER),
    "The upstream fell silent": ("The model's server stopped in the middle of its answer", LATER),
    "The upstream closed the connection": ("The model's server closed the connection", LATER),
    "The upstream broke off": ("The model's server broke off its answer", LATER),
    "No model is set up": ("No model is set up", ""),
    "Sorry, something went wrong": (
        "Runsite itself failed",
        "The server's log says why, under the id of the run.",
    ),
    "The server was interrupted;": ("The server was interrupted", ""),
    "The server was interrupted": ("The server was interrupted", "Run it again."),
    "The run took more than": ("The run took too many turns", ""),
}

#: The same by the code, for all other messages.
BY_CODE = {
    "rate_limit_exceeded": ("The model's server is limiting requests", FEWER),
    "invalid_prompt": ("The model's server refused the request", CHANGE),
}
UNKNOWN = ("The model gave no usable answer", "")

#: Heading and what to do, by why a run is incomplete.
INCOMPLETE = {
    "max_completion_tokens": (
        "The answer was cut short",
        "The answer was cut at the run's max_completion_tokens. "
        "Start a run with a higher limit to get more.",
    ),
    "max_prompt_tokens": (
        "The conversation is too long",
        "The conversation does not fit into the run's max_prompt_tokens. "
        "Start a run with a higher limit, or on a shorter thread.",
    ),
    "content_filter": (
        "The answer was stopped",
        "The upstream's content filter stopped the answer.",
    ),
}
STOPPED = ("The answer is incomplete", "The model stopped before it was done.")
UPSTREAM_LIMIT = "The answer was cut at the upstream's own limit of tokens."


def failure_of(error: dict[str, Any]) -> Failure:
    """The ``last_error`` of a run or step in plain words."""
    code, message = error["code"], error["message"]
    if "insufficient_quota" in message:  # said as a limit of requests, but no waiting cures it
        return Failure(code, message, *BY_MESSAGE["The upstream wants to be paid"])
    known = (words for start, words in BY_MESSAGE.items() if message.startswith(start))
    return Failure(code, message, *next(known, BY_CODE.get(code, UNKNOWN)))


def shortfall_of(run: Run) -> Failure:
    """Why a run is incomplete, in plain words."""
    reason = run.incomplete_reason or ""
    heading, message = INCOMPLETE.get(reason, STOPPED)
    if reason == "max_completion_tokens" and run.max_completion_tokens is None:
        message = UPSTREAM_LIMIT
    return Failure(reason, message, heading, "")
