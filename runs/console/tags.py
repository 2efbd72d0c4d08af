"""Filters and tags that the console's templates share."""

import functools
import secrets
import tomllib
from collections.abc import Mapping
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.template.defaultfilters import stringfilter
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from runs.console import costs, failures, text, zones
from runs.console.markdown import to_html
from runs.console.shortcuts import GROUPS, Shortcut
from runs.console.text import verbatim
from runs.contract.roles import NEEDS, Role
from runs.contract.status import TERMINAL
from runs.models import Run

register = template.Library()

register.filter("visible", stringfilter(text.visible))
register.filter("prose", stringfilter(text.prose))
register.filter("pretty", text.pretty)
register.filter("middle", text.middle)
register.filter("count", text.count)
register.filter("duration", text.duration)
register.filter("plain_text", text.plain_text)
register.filter("markdown", to_html)
register.filter("verbatim", verbatim)
register.filter("exact", zones.exact)
register.filter("time_of_day", zones.time_of_day)
register.filter("money", costs.money)
register.filter("rate", costs.figure)
register.filter("failure", failures.failure_of)
register.filter("shortfall", failures.shortfall_of)


@register.filter
def may_see(role: Role | str, route: str) -> bool:
    """Whether a role may see the page ``route``; an unset one sees none."""
    return isinstance(role, Role) and role.covers(NEEDS[route].get)


@register.filter
def may_post(role: Role | str, route: str) -> bool:
    """Whether a role may do what a form at ``route`` does."""
    return isinstance(role, Role) and role.covers(NEEDS[route].post)


@register.filter
def item(found: Mapping[str, Any], key: str) -> Any:
    """The value of a key that is only known at run time."""
    return found.get(key, "")


@register.filter
def json(value: Any) -> str:
    """A value as JSON with line breaks."""
    return dumps(value, indent=2, ensure_ascii=False)


@register.filter
def status_word(status: str) -> str:
    """A status in the words of the console: "Needs input"."""
    return text.STATUS_WORDS.get(status, status)


@register.filter
def unix(at: datetime) -> int:
    """Whole Unix seconds, for the page's script."""
    return int(at.timestamp())


@register.filter
def milliseconds(at: datetime) -> int:
    """Unix milliseconds, for the time bars."""
    return int(at.timestamp() * 1000)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon of the sprite."""
    return format_html(
        '<svg class="icon" aria-hidden="true" width="16" height="16">'
        '<use href="{}#{}"></use></svg>',
        static("console/icons.svg"),
        name,
    )


@register.simple_tag
def badge(status: str) -> SafeString:
    """A status: icon, word and colour; the API's own word as its tooltip."""
    return format_html(
        '<span class="badge" data-status="{}" title="{}">{}{}</span>',
        status,
        status,
        icon(status),
        status_word(status),
    )


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """A time as "3 min ago" with the exact time as its tooltip. The page keeps it current."""
    return format_html(
        '<time datetime="{}" title="{}" data-ago="{}">{}</time>',
        at.isoformat(),
        zones.exact(at),
        int(at.timestamp()),
        ago((timezone.now() - at).total_seconds()),
    )


@register.simple_tag
def clock(at: datetime) -> SafeString:
    """The time of day, with the date and zone as its tooltip."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}",
        f"{local:%H:%M:%S}",
    )


def ago(seconds: float) -> str:
    """How long ago; static/console/basics.js says it the same way."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now" if seconds < 10 else f"{int(seconds)} s ago"


@register.simple_tag
def vendored(name: str) -> SafeString:
    """The tag of a vendored script, with the hash that its content must have; or of a style
    sheet, which has none: collecting it rewrites the names that it refers to."""
    path, integrity = vendored_files()[name]
    if name.endswith(".css"):
        return format_html('<link rel="stylesheet" href="{}">', static(path))
    return format_html('<script defer src="{}" integrity="{}"></script>', static(path), integrity)


@functools.cache
def vendored_files() -> dict[str, tuple[str, str]]:
    """Path below the static root, and integrity, of each vendored file, by its name."""
    listed: dict[str, Any] = tomllib.loads(
        Path(settings.BASE_DIR, "static", "vendor", "VENDOR.toml").read_text()
    )
    return {
        name: (f"vendor/{package['folder']}/{name}", file["integrity"])
        for package in listed["package"]
        for name, file in package["files"].items()
    }


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """The theme this browser chose; "system" unless it did. Needs no database."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request else ""
    return chosen if chosen in ("light", "dark") else "system"


@register.simple_tag
def shortcut_groups() -> tuple[tuple[str, tuple[Shortcut, ...]], ...]:
    """The keys of the console, by where they work."""
    return GROUPS


@register.simple_tag(takes_context=True)
def cookie(context: template.Context, name: str) -> str:
    """What this browser keeps under a name; empty if nothing."""
    request = context.get("request")
    return request.COOKIES.get(name, "") if request else ""


@register.simple_tag
def lasted(run: Run) -> str:
    """How long a run took from creation to end, or has taken so far."""
    ended = run.completed_at or run.failed_at or run.cancelled_at or run.expired_at
    end = ended if run.status in TERMINAL and ended else timezone.now()
    return text.duration((end - run.created_at).total_seconds())


@register.simple_tag
def since(at: datetime) -> str:
    """The time from then to now; the page counts it up."""
    return text.duration((timezone.now() - at).total_seconds())


@register.simple_tag
def time_left(until: datetime) -> str:
    """The time until then as 8:12; the page counts it down."""
    minutes, seconds = divmod(max(int((until - timezone.now()).total_seconds()), 0), 60)
    return f"{minutes}:{seconds:02d}"


@register.simple_tag
def call_place(step_id: str, index: int) -> str:
    """The element id of a call of a step."""
    return f"{step_id}-call-{index}"


@register.simple_tag
def form_key() -> str:
    """What a form is known by that is sent twice."""
    return secrets.token_urlsafe(16)


@register.filter
def figure(value: float | None, unit: str) -> str:
    """A figure with its unit; a dash where it is not known."""
    if value is None:
        return "\u2013"
    return text.duration(value) if unit == "seconds" else text.count(int(value))


@register.filter
def delta(value: float | None, unit: str) -> str:
    """A difference with its sign and unit."""
    if value is None:
        return "\u2013"
    value = round(value, 3)  # no "-0 ms"
    sign = "+" if value > 0 else "\u2212" if value < 0 else "±"
    return f"{sign}{figure(abs(value), unit)}{' tokens' if unit == 'tokens' else ''}"


@register.filter
def at(items: list[Any], index: int) -> Any:
    """The item at this place."""
    return items[index]


@register.filter
def cut(reason: str) -> str:
    """Why a message ends early, in words."""
    return text.CUT.get(reason, reason)


@register.simple_tag(takes_context=True)
def here(context: template.Context, name: str) -> SafeString:
    """Marks the entry of the main navigation under which the page is."""
    match = context["request"].resolver_match
    of_page = text.NAVIGATION.get(match.url_name if match else "", "runs")
    return mark_safe(' aria-current="page"' if of_page == name else "")  # noqa: S308  constant
