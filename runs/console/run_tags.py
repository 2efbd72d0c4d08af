"""Tags of a run's page alone."""

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from runs.console import payload
from runs.console.run_query import RunQuery
from runs.console.split import Split, split_of
from runs.console.timeline import RunView, StepView
from runs.console.waterfall import idle_gaps, since

register = template.Library()

register.filter("payload", payload.payload_of)
register.filter("chips", payload.chips)
register.filter("size", payload.size)


@register.simple_tag
def split(view: RunView) -> Split:
    """Where the time of a run went, as of now."""
    return split_of(view, timezone.now())


@register.simple_tag
def folds(view: RunView) -> str:
    """The idle times of a run, for the page's script to fold."""
    return json.dumps(idle_gaps(view) if not view.query.idle else [])


@register.simple_tag
def after(view: RunView, at: datetime) -> int:
    """Milliseconds from the run's creation to ``at``, for the page's script."""
    return since(view, at)


@register.simple_tag
def times(view: RunView, step: StepView) -> SafeString:
    """The times of a step's bar: when it began, when the model was asked, and when it ended."""
    moments = {"s": step.row.created_at, "a": step.row.asked_at, "e": step.ended_at}
    given = [(name, since(view, at)) for name, at in moments.items() if at is not None]
    return format_html_join(" ", 'data-{}="{}"', given)


@register.simple_tag
def query_link(query: RunQuery, **changes: Any) -> str:
    """The address of the same page with some of its query changed."""
    return query.link(**changes)


@register.simple_tag
def call_text(kind: str, index: int) -> str:
    """The name of a text of a call in addresses: ``arguments-0``, ``output-0``."""
    return f"{kind}-{index}"
