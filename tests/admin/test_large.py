"""The lists where there is much: 100,000 threads and runs, with a message and a log each."""

import time

import pytest
from django.db import connection

from runs.contract.status import RunStatus
from runs.models import EventChunk, Message, Run, Thread
from runs.models.figures import with_sizes
from tests.admin.pages import listing
from tests.factories import make_message, make_run, make_thread
from tests.filled import age

FIRST = 100  # rows made one by one; all others are copies of them
DOUBLED = 10  # times
QUERIES = 10

STATUSES = [RunStatus.COMPLETED] * 17 + [
    RunStatus.FAILED,
    RunStatus.REQUIRES_ACTION,
    RunStatus.IN_PROGRESS,
]


def fill(project):
    """Rows numbered from 1 in every table, thread 7 with run 7 and message 7; then their copies."""
    runs = []
    for number in range(1, FIRST + 1):
        thread = make_thread(project, number=number, id=f"thread_{number}")
        message = make_message(thread, "x" * 200, number=number, id=f"msg_{number}")
        runs.append(
            make_run(
                thread,
                STATUSES[number % len(STATUSES)],
                number=number,
                id=f"run_{number}",
                required_action={},
            )
        )
        EventChunk.objects.create(
            number=number, run=runs[-1], first_number=1, last_number=1, epoch=1, body=message.id
        )
        age(thread, number)
    for doubling in range(DOUBLED):
        double(Thread, doubling, id="thread_")
        double(Message, doubling, id="msg_", thread_id="thread_")
        double(Run, doubling, id="run_", thread_id="thread_")
        double(EventChunk, doubling, run_id="run_")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def double(model, doubling, **ids):
    """Copy every row, with a number and ids of its own."""
    shift = FIRST * 2**doubling
    columns = [field.column for field in model._meta.concrete_fields]
    values = [
        f"number + {shift}"
        if column == "number"
        else f"'{ids[column]}' || (number + {shift})"
        if column in ids
        else f'"{column}"'
        for column in columns
    ]
    names = ", ".join(f'"{column}"' for column in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table}")


PAGES = [
    (Thread, ""),
    (Thread, "p=100"),
    (Thread, "age=0-1"),
    (Thread, "age=90-"),
    (Thread, "age=30-90&quiet=30"),
    (Thread, "active=yes"),
    (Thread, "active=no"),
    (Thread, "contents=empty"),
    (Thread, "quiet=90"),
    (Thread, "quiet=365"),
    (Thread, "q=thread_77777"),
    (Run, ""),
    (Run, "p=100"),
    (Run, "status=completed"),
    (Run, "status=failed"),
    (Run, "status=expired"),
    (Run, "status=requires_action"),
    (Run, "lease=lapsed"),
    (Run, "error=server_error"),
    (Run, "error=rate_limit_exceeded"),
    (Run, "age=90-"),
    (Run, "age=90-&status=failed"),
    (Run, "q=run_77777"),
    (Run, "q=thread_77777"),
    (Message, ""),
    (Message, "role=assistant"),
    (Message, "q=thread_77777"),
]


@pytest.mark.slow
def test_pages_of_large_lists(operator, project, django_assert_max_num_queries):
    """None takes as long as it takes to look at what each row of the table has."""
    fill(project)
    assert Run.objects.count() > 100_000
    too_long = min(seconds(lambda: list(with_sizes(Thread.objects.all()))) for _ in range(2))
    slow = {}
    for model, query in PAGES:
        address = f"{listing(model)}?{query}"
        with django_assert_max_num_queries(QUERIES):
            page = operator.get(address)
        assert page.status_code == 200
        rows = list(page.context["cl"].result_list)
        assert len(rows) == 1 if query.startswith("q=") else len(rows) in (0, 50), address
        taken = min(seconds(lambda address=address: operator.get(address)) for _ in range(3))
        if taken > too_long / 4:
            slow[address] = taken
    assert slow == {}, too_long


def seconds(work):
    """What it takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began
