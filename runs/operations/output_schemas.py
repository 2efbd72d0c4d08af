"""Operations on the schemas of tool outputs. An extension of ours that only the console has."""

import json
import re
from typing import Any

from django.db import transaction

from runs.contract.errors import BadRequest
from runs.contract.limits import FUNCTION_NAME
from runs.contract.schemas import WrongSchema, check_schema
from runs.models import Assistant, OutputSchema, Project
from runs.models.database import now


def set_output_schema(
    project: Project, function: str, schema: Any, assistant: Assistant | None = None
) -> OutputSchema:
    """Say what the outputs of a function look like, in runs of one assistant or in all.

    Raises:
        BadRequest: no function can be called that, or the schema is none that we take.
    """
    if not re.fullmatch(FUNCTION_NAME, function):
        raise BadRequest(
            "The name of a function is 1 to 64 letters, digits, _ or -.", param="function"
        )
    try:
        check_schema(schema)
    except WrongSchema as wrong:
        raise BadRequest(str(wrong), param="schema") from wrong
    with transaction.atomic():
        row, _ = OutputSchema.objects.update_or_create(
            project=project,
            assistant=assistant,
            function=function,
            defaults={"text": json.dumps(schema), "updated_at": now()},
        )
    return row


def remove_output_schema(row: OutputSchema) -> None:
    """Forget a schema. Its function is answered with any text again."""
    OutputSchema.objects.filter(number=row.number).delete()
