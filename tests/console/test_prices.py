"""Prices: which one counts, setting and removing them, and files of them."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from runs.console.costs import PriceList, figure, money
from runs.models import Price
from tests.console.pages import says, url
from tests.factories import make_project, make_run, make_thread

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "prices-example.csv"
TYPED = {
    "model": "gpt-4o*", "input": "2.5", "cached": "", "output": "10", "currency": "USD",
    "valid_from": "2026-01-01",
}  # fmt: skip


def listed(*rows) -> PriceList:
    return PriceList(
        [
            Price(
                pattern=pattern, valid_from=date.fromisoformat(day), input=Decimal(input),
                output=Decimal(2), currency="USD",
            )
            for pattern, day, input in rows
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "day", "input"),
    [
        ("gpt-4o", "2026-05-01", 3),  # the whole name before a beginning
        ("gpt-4o-mini", "2026-05-01", 2),  # the longest beginning
        ("gpt-5", "2026-05-01", 1),
        ("gpt-4o", "2026-07-01", 4),  # the latest that is valid
        ("gpt-4o", "2026-06-30", 3),
        ("gpt-4o", "2026-02-01", 2),  # the whole name has no price yet
        ("gpt-4o", "2025-12-31", None),
        ("other", "2026-05-01", None),
    ],
)
def test_which_price_counts(model, day, input):
    prices = listed(
        ("gpt*", "2026-01-01", 1), ("gpt-4o*", "2026-01-01", 2),
        ("gpt-4o", "2026-03-01", 3), ("gpt-4o", "2026-07-01", 4),
    )  # fmt: skip
    found = prices.price_of(model, date.fromisoformat(day))
    assert (found and int(found.input)) == input


@pytest.mark.parametrize(
    ("amount", "said"),
    [("0", "0"), ("12.3", "12.30"), ("1234567.891", "1\u202f234\u202f567.89"), ("0.5", "0.50"),
     ("0.00042", "0.00042"), ("0.0000004999", "0.00000050")],
)  # fmt: skip
def test_small_amounts_keep_their_digits(amount, said):
    assert figure(Decimal(amount)) == said


def test_currencies_are_never_added_up():
    assert money({"USD": Decimal(1), "EUR": Decimal(2)}) == "2.00 EUR + 1.00 USD"


def test_a_price_is_set_and_removed(operator, project):
    words = says(operator.post("/console/prices/", TYPED, follow=True))
    assert "The price is set." in words
    assert "gpt-4o* 2026-01-01 2.50 as input 10.00 USD" in words
    assert "was set already" in says(operator.post("/console/prices/", TYPED, follow=True))
    other = operator.post("/console/prices/", TYPED | {"input": "3"})
    assert other.status_code == 422
    assert "There is another price of “gpt-4o*” from 2026-01-01 on." in says(other)
    number = Price.objects.get().number
    words = says(operator.post(f"/console/prices/{number}/", follow=True))
    assert "is removed" in words
    assert "No prices yet" in words
    assert operator.post(f"/console/prices/{number}/").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("model", "", "This field is required."), ("model", "a*b", "with * at its end"),
        ("model", "a\0", "Null characters"), ("input", "-1", "greater than or equal to 0"),
        ("input", "NaN", "Enter a number."), ("output", "0.1234567", "no more than 6 decimal"),
        ("currency", "$", "three capital letters"), ("valid_from", "1.2.2026", "valid date"),
    ],
)  # fmt: skip
def test_what_is_no_price(operator, project, field, value, complaint):
    response = operator.post("/console/prices/", TYPED | {field: value})
    assert response.status_code == 422
    assert complaint in says(response)
    assert Price.objects.count() == 0


def test_a_link_names_the_model(operator, project):
    page = operator.get("/console/prices/", {"model": '"><b>'}).content.decode()
    assert 'value="&quot;&gt;&lt;b&gt;"' in page


def send(operator, content: bytes):
    file = SimpleUploadedFile("prices.csv", content)
    return operator.post("/console/prices/import/", {"file": file}, follow=True)


def test_the_example_comes_in_and_goes_out_again(operator, project):
    assert "4 prices were added." in says(send(operator, EXAMPLE.read_bytes()))
    out = operator.get("/console/prices/?format=csv").content
    words = says(send(operator, out))
    assert "0 prices were added. 4 were there already." in words
    Price.objects.all().delete()
    send(operator, out)
    assert operator.get("/console/prices/?format=csv").content == out


def test_a_name_like_a_formula_comes_back_as_it_was(operator, project):
    operator.post("/console/prices/", TYPED | {"model": "@cf/llama"})
    out = operator.get("/console/prices/?format=csv").content
    assert b"'@cf/llama" in out
    assert "1 were there already" in says(send(operator, out))


HEAD = b"model,input,cached,output,currency,valid_from\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The first line must name"),
        (b"\xff\xfe", "This is not CSV in UTF-8"),
        (b"model,input\na,1\n", "The first line must name model, input"),
        (HEAD + b"a,1,,2,USD,2026-01-01,9\n", "The first line must name"),
        (HEAD + b"a,1,,2,USD,2026-01-01\nb,x,,2,USD\n", "Line 3, input: Enter a number."),
        (HEAD + b"a,1,,2,USD,2026-01-01\na,2,,2,USD,2026-01-01\n", "There is another price"),
        (HEAD + b"a,1,,2,USD,2026-01-01\na*a,2,,2,USD,2026-01-01\n", "with * at its end"),
    ],
)
def test_a_file_comes_in_whole_or_not_at_all(operator, project, content, complaint):
    response = send(operator, content)
    assert response.status_code == 422
    assert "No price was added." in says(response)
    assert complaint in says(response)
    assert Price.objects.count() == 0


def test_a_file_has_to_be_chosen(operator, project):
    response = operator.post("/console/prices/import/")
    assert "Choose a CSV file of at most 512 KiB." in says(response)


def test_prices_of_another_project_are_not_there(operator, project):
    columns = {"pattern": "x", "input": 1, "output": 1, "currency": "USD"}
    foreign = Price.objects.create(project=make_project(), valid_from=date(2026, 1, 1), **columns)
    assert "No prices yet" in says(operator.get("/console/prices/"))
    assert operator.post(f"/console/prices/{foreign.number}/").status_code == 404
    assert operator.get("/console/prices/?format=pdf").status_code == 404


def test_a_run_shows_its_cost_only_with_a_price(operator, project):
    run = make_run(make_thread(project), "completed", model="gpt-4o-mini")
    assert "Cost" not in says(operator.get(url(run)))
    operator.post("/console/prices/", TYPED)
    assert "Cost 0.000075 USD" in says(operator.get(url(run)))
    active = make_run(make_thread(project), "in_progress", model="gpt-4o-mini")
    assert "Cost" not in says(operator.get(url(active)))
