"""Migrations say all that the models say, and data never moves together with a schema."""

from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.state import ProjectState

from runs.contract.status import RunStatus
from runs.models import Run, UsageEntry
from tests.factories import make_run

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


@pytest.mark.django_db(transaction=True)
def test_the_usage_of_ended_runs_is_noted_by_the_batch_and_broken_off_goes_on(monkeypatch):
    module = import_module("runs.migrations.0011_usage_of_ended_runs")
    monkeypatch.setattr(module, "BATCH", 2)
    migration = module.Migration("0011_usage_of_ended_runs", "runs")

    def migrate():
        with connection.schema_editor(atomic=migration.atomic) as editor:
            migration.apply(ProjectState.from_apps(apps), editor)

    runs = [make_run(status=RunStatus.COMPLETED, usage={"prompt_tokens": n}) for n in range(5)]
    Run.objects.filter(id=runs[3].id).update(usage="not an object")
    with pytest.raises(AttributeError):
        migrate()
    assert UsageEntry.objects.count() == 2
    Run.objects.filter(id=runs[3].id).update(usage={"prompt_tokens": 3})
    migrate()
    assert list(UsageEntry.objects.values_list("input_tokens", flat=True)) == [0, 1, 2, 3, 4]
