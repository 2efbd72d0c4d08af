"""Forms that are sent twice: a double click starts one run."""

import hashlib
from collections.abc import Callable

from runs import operations
from runs.console.pages import ConsoleRequest
from runs.models import Project, Run
from runs.operations import Answer, Call
from runs.wire.objects import run_object

#: Fields that say nothing about what is asked for.
ASIDE = ("csrfmiddlewaretoken",)


def once(
    request: ConsoleRequest, project: Project, key: str, work: Callable[[], Run]
) -> tuple[str, str]:
    """Start a run with ``work``, once for the form that has this key and these contents; without a
    key, each time. The ids of its thread and of itself.

    Raises:
        KeyInUse: the same form is being worked on.
    """
    if not key:
        run = work()
        return run.thread_id, run.id

    def answer() -> Answer:
        run = work()
        return Answer(run_object(run), run=run)

    contents = sorted((k, v) for k, v in request.POST.lists() if k not in ASIDE)
    digest = hashlib.sha256(repr(contents).encode(errors="surrogatepass")).hexdigest()
    # The contents belong to the key: a form that was changed and sent again is another one.
    name = hashlib.sha256(f"{key}\n{digest}".encode(errors="surrogatepass")).hexdigest()
    wire = operations.once(Call(project, name, request.path, digest), answer).wire
    return wire["thread_id"], wire["id"]
