"""Migrations say all that the models say, and data never moves together with a schema."""

from pathlib import Path

import pytest
from django.core.management import call_command

MIGRATIONS = sorted((Path(__file__).resolve().parent.parent / "runs" / "migrations").glob("0*.py"))
SCHEMA = ("CreateModel", "AddField", "AlterField", "RemoveField", "AddConstraint", "AddIndex")


@pytest.mark.django_db
def test_none_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_data_and_schema_are_never_in_one_file():
    for path in MIGRATIONS:
        text = path.read_text()
        if "RunPython" in text or "RunSQL" in text:
            assert not any(f"migrations.{name}" in text for name in SCHEMA), path.name


def test_their_numbers_are_a_line():
    numbers = [int(path.name[:4]) for path in MIGRATIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_core_needs_no_optional_package():
    for path in MIGRATIONS:
        assert "procrastinate" not in path.read_text(), path.name
