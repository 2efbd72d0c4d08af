"""Markdown of completed messages as HTML.

Model output is hostile. Raw HTML and images are off in the parser; its output then passes
an allow-list. This is the only place of the console where HTML is not made by a template.
"""

import functools

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from runs.console.text import prose

TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
LONGEST = 100_000  # characters; a longer text takes seconds to parse and is shown as it is
KEPT = 256  # rendered texts in memory

parser = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")


@functools.lru_cache(maxsize=KEPT)
def to_html(text: str) -> SafeString | None:
    """``text`` as safe HTML; None if it is too long to be rendered."""
    if len(text) > LONGEST:
        return None
    html = nh3.clean(
        parser.render(prose(text)),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(html)  # noqa: S308  cleaned by the allow-list above
