"""What tokens cost: the price of a model on a day, and amounts in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal

from runs.contract.status import TERMINAL
from runs.models import Price, Project, Run

MILLION = Decimal(1_000_000)

#: Amounts by currency.
Costs = dict[str, Decimal]


@dataclass
class PriceList:
    """The prices of a project."""

    prices: list[Price]
    found: dict[tuple[str, date], Price | None] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project) -> "PriceList":
        """Read them, once for a page."""
        return cls(list(Price.objects.for_project(project)))

    def price_of(self, model: str, day: date) -> Price | None:
        """The price that counts for a model on a day: of the closest pattern the latest."""
        key = (model, day)
        if key not in self.found:
            known = [p for p in self.prices if p.valid_from <= day and fits(p.pattern, model)]
            self.found[key] = max(
                known, key=lambda price: (closeness(price.pattern), price.valid_from), default=None
            )
        return self.found[key]

    def cost(self, model: str, day: date, tokens: Sequence[int]) -> Costs | None:
        """What (input, cached, output) tokens cost; None without a price."""
        price = self.price_of(model, day)
        if price is None:
            return None
        total, cached, output = (Decimal(number) for number in tokens)
        rate = price.input if price.cached is None else price.cached
        amount = (total - cached) * price.input + cached * rate + output * price.output
        return {price.currency: amount / MILLION}

    def cost_of(self, run: Run) -> str:
        """What a run has cost, in words; nothing without a price, or before it has ended."""
        if run.status not in TERMINAL or not run.usage:
            return ""
        spent = run.usage
        cached = (spent.get("prompt_token_details") or {}).get("cached_tokens", 0)
        tokens = (spent["prompt_tokens"], cached, spent["completion_tokens"])
        found = self.cost(run.model, run.created_at.astimezone(UTC).date(), tokens)
        return "" if found is None else money(found)


def fits(pattern: str, model: str) -> bool:
    """Whether a pattern is of a model: its name, or the beginning of it before a star."""
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


def closeness(pattern: str) -> tuple[bool, int]:
    """Orders patterns: a whole name is closest, then the longest beginning."""
    return not pattern.endswith("*"), len(pattern)


def added(many: Iterable[Costs]) -> Costs:
    """The sum of amounts, by currency."""
    total: Costs = {}
    for costs in many:
        for currency, amount in costs.items():
            total[currency] = total.get(currency, Decimal(0)) + amount
    return total


def money(costs: Mapping[str, Decimal]) -> str:
    """Amounts in words: 1 204.50 USD + 0.00042 EUR. Small ones keep two digits that count."""
    return " + ".join(f"{figure(amount)} {currency}" for currency, amount in sorted(costs.items()))


def figure(amount: Decimal) -> str:
    """An amount with two decimals, or more if it is small."""
    if not amount:
        return "0"
    places = max(2, 1 - amount.adjusted())
    return f"{amount:,.{places}f}".replace(",", "\u202f")
