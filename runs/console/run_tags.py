"""Tags of a run's page alone."""

from django import template
from django.utils import timezone

from runs.console.split import Split, split_of
from runs.console.timeline import RunView

register = template.Library()


@register.simple_tag
def split(view: RunView) -> Split:
    """Where the time of a run went, as of now."""
    return split_of(view, timezone.now())
