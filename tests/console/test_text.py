"""Words and numbers for people, and markdown that came from a model."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from runs.console.markdown import LONGEST, SCHEMES, TAGS, to_html
from runs.console.tags import ago
from runs.console.text import count, duration, middle, pretty, prose, verbatim, visible


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 ms"), (0.9123, "912 ms"), (0.9996, "1.0 s"), (8.24, "8.2 s"), (59.96, "1 m 00 s"),
     (184, "3 m 04 s"), (7500, "2 h 05 m")],
)  # fmt: skip
def test_durations(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "just now"), (42, "42 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (90000, "1 d ago")],
)
def test_how_long_ago(seconds, said):
    assert ago(seconds) == said


def test_counts_have_thin_spaces():
    assert count(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize(
    ("object_id", "shown"),
    [
        ("run_9aZabcdefghijklmnopqrsx1", "run_9aZa…rsx1"),
        ("call_1", "call_1"),
        ("abcdefghijkl", "abcd…ijkl"),
    ],
)
def test_ids_lose_their_middle(object_id, shown):
    assert middle(object_id) == shown


def test_json_is_laid_out_only_where_it_helps():
    assert pretty('{"a":1}') == '{"a": 1}'
    assert pretty('{"a":"%s"}' % ("x" * 60)).count("\n") == 2
    for text in ("plain", "3", "[" * 100_000, ""):
        assert pretty(text) == text


def test_hidden_characters_are_shown():
    assert (
        visible("safe\u202eevil\x00\u200b\ttab\nline") == "safe\\u202eevil\\u0000\\u200b\ttab\nline"
    )


@pytest.mark.parametrize(
    "character",
    ["\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180e", "\u206a", "\u206f", "\u3164",
     "\uffa0", "\ufff9", "\ufffb", "\U000e0000", "\U000e0041", "\U000e007f", "\U000e0100",
     "\U000e01ef"],
)  # fmt: skip
def test_characters_without_a_glyph_are_shown(character):
    assert (
        visible(f"a{character}b") == f"a{character}b".encode("ascii", "backslashreplace").decode()
    )


def test_visible_characters_stay():
    assert visible("ü 😀 \ufe0f 한 \U000e0080") == "ü 😀 \ufe0f 한 \U000e0080"


def test_verbatim_survives_a_parser():
    assert verbatim("a\r\n<b>&") == "a&#13;\n&lt;b&gt;&amp;"


def test_what_turns_text_is_shown_and_what_people_write_is_left():
    emoji = "\U0001f468\u200d\U0001f469"
    assert prose(f"a\u202eb {emoji}\r\n") == f"a\\u202eb {emoji}\r\n"
    assert verbatim(f"\u202e{emoji}") == f'<bdi data-as="\\u202e">\u202e</bdi>{emoji}'
    assert str(to_html("a\u202eb")) == "<p>a\\u202eb</p>\n"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.example/leak.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "<a href='vbscript:x'>x</a>",
        "[x](https://e.example 'a\" onmouseover=\"alert(1)')",
        "<style>body{display:none}</style>",
        "<iframe src=//evil.example></iframe>",
        "| a |\n|:-:|\n| b |",
        "<hx-partial hx-target='body'>x</hx-partial>",
        "<svg/onload=alert(1)>",
        "`<b>`",
    ],
)
def test_markdown_makes_nothing_active(hostile):
    for tag, attributes in elements(str(to_html(hostile))):
        assert tag in TAGS
        assert set(attributes) <= {"href", "title", "rel"}
        assert urlsplit(attributes.get("href", "https://")).scheme in SCHEMES


def elements(html):
    """Name and attributes of each element of some HTML."""
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Parser().feed(html)
    return found


def test_links_of_markdown_lead_away_without_telling_from_where():
    html = to_html("[site](https://example.com)")
    assert html == (
        '<p><a href="https://example.com" rel="noopener noreferrer nofollow">site</a></p>\n'
    )


def test_markdown_that_takes_seconds_is_not_rendered():
    assert to_html("x" * (LONGEST + 1)) is None
