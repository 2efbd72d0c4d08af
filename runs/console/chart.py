"""Bars of tokens per day, stacked by series: where each rectangle stands, in percent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from runs.console.text import count
from runs.console.usage import Line

WIDTH = 0.8  # of a bar, in its day
Day = tuple[date, Line, list[int]]  # with the tokens of each series


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a bar; ``series`` counts from 1."""

    series: int
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of a day."""

    day: date
    words: str
    x: str
    width: str
    parts: list[Part]


def bars(days: Sequence[Day]) -> list[Bar]:
    """A bar for each day that has any tokens."""
    highest = peak(days)
    width = 100 / len(days)
    made = []
    for place, (day, line, tokens) in enumerate(days):
        if line.total:
            words = f"{day}: {count(line.total)} tokens"
            x = percent((place + (1 - WIDTH) / 2) * width)
            made.append(Bar(day, words, x, percent(width * WIDTH), stacked(tokens, highest)))
    return made


def peak(days: Sequence[Day]) -> int:
    """The tokens of the highest bar, which is as high as the chart."""
    return max((sum(tokens) for _, _, tokens in days), default=0)


def stacked(tokens: Sequence[int], highest: int) -> list[Part]:
    """The parts of a bar, the first series at the bottom."""
    top, parts = 100.0, []
    for series, number in enumerate(tokens, start=1):
        height = 100 * number / highest
        top -= height
        if number:
            parts.append(Part(series, percent(max(top, 0.0)), percent(height)))
    return parts


def percent(value: float) -> str:
    """A length as SVG takes it."""
    return f"{value:.3f}%"
