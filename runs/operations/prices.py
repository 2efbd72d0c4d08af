"""Operations on prices."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from runs.contract.errors import BadRequest
from runs.models import Price, Project

FIGURES = ("input", "cached", "output", "currency")
#: A model's name, or the beginning of one followed by a star.
PATTERN = re.compile(r"[^*\0]{1,255}\*?|\*")


def add_prices(project: Project, wanted: Sequence[dict[str, Any]]) -> int:
    """Add prices (columns by name), all or none; how many were new. Those that are there already
    are no error.

    Raises:
        BadRequest: a pattern or currency is none, or there is another price of this pattern and
            day: history is not priced anew.
    """
    made = 0
    with transaction.atomic():
        for columns in wanted:
            check(columns)
            made += add(project, columns)
    return made


def add(project: Project, columns: dict[str, Any]) -> bool:
    """Add one price, unless it is there."""
    key = {"pattern": columns["pattern"], "valid_from": columns["valid_from"]}
    figures = {name: columns[name] for name in FIGURES}
    try:
        with transaction.atomic():
            found, made = Price.objects.get_or_create(project=project, **key, defaults=figures)
    except IntegrityError as gone:
        raise BadRequest("Somebody else changed the prices at this moment. Try again.") from gone
    if not made and any(getattr(found, name) != value for name, value in figures.items()):
        raise BadRequest(
            f"There is another price of “{found.pattern}” from {found.valid_from} on. "
            "Remove it first, or choose another day.",
            param="pattern",
        )
    return made


def check(columns: dict[str, Any]) -> None:
    """Refuse what is no pattern or currency."""
    if not PATTERN.fullmatch(columns["pattern"]):
        raise BadRequest(
            "A model is a name of at most 256 characters, or the beginning of one with * at its "
            "end.",
            param="pattern",
        )
    if not re.fullmatch("[A-Z]{3}", columns["currency"]):
        raise BadRequest("A currency has three capital letters.", param="currency")


def remove_price(price: Price) -> None:
    """Remove a price. What it priced has the price before it again, or none."""
    Price.objects.filter(number=price.number).delete()
