"""The OpenAPI document differs from the published one where this table says so, and why.

``tests/data/assistants-schema.json`` is the published one. Each difference of an operation, a
parameter or a property is a line (:mod:`tests.api.schema_diff`). A new one fails, and so does one
of the table that is gone.
"""

import json
import re
from pathlib import Path

import pytest

from tests.api.openapi import document
from tests.api.schema_diff import Diff

pytestmark = pytest.mark.slow

DATA = Path(__file__).resolve().parent.parent / "data"
PUBLISHED = json.loads((DATA / "assistants-schema.json").read_text())

#: Why, and for each pattern of lines how many there are. The first pattern that fits counts.
#: ``sent`` is what a caller may send, ``answered`` what the server may answer.
DIFFERENCES: dict[str, dict[str, int]] = {
    # operations
    "they are Runsite's own": {
        r"GET (/runs|/threads|\S+/stream) operation no -> yes": 3,
        r"sent \w+ header Idempotency-Key parameter no -> yes": 11,
        r"sent \w+\.(expires_in|action_expires_in|on_active_run) exists no -> yes": 5,
        r"answered \w+Event(<\S+>)?\.id exists no -> yes": 25,
    },
    "errors are described, each where it can come": {r"\w+ (4|5)\d\d no -> yes": 135},
    "only streams are bounded": {r"\w+ 429 yes -> no": 20},
    "the SDKs send it, unpublished": {r"sent getRun header X-Stainless-Poll-Helper .*": 1},
    "an absent body counts as {}": {r"sent modify\w+ required yes -> no": 4},
    "only the prose of the published file says so": {
        r"sent list\w+ query limit (maximum - -> 100|minimum - -> 1)": 8,
        r"sent Metadata maxProperties - -> 16": 1,
        r"(sent|answered) \S+\.name pattern - -> \^\[a-zA-Z0-9_-\]\{1,64\}\$": 4,
    },
    "what our ids look like": {r".* pattern - -> \^[a-z]+_\[A-Za-z0-9\]\{24\}\$": 66},
    "any value: it has no effect": {r"sent \w+ query include\[\]\[\] enum .* -> -": 3},
    # bodies
    "null counts as not given, everywhere": {r"sent \S+ null - -> yes": 46},
    "a field that nothing knows is refused, in parts too": {
        r"sent \S+ additionalProperties - -> no": 37
    },
    "limits that are checked": {
        r"sent \S+ maxLength - -> (256|512|256000)": 25,
        r"sent \S+ minLength - -> 1": 8,
        r"sent \S+ maximum - -> 2147483647": 6,
    },
    "a default would read as sent: what holds is in the answer": {r".* default .* -> -": 33},
    "handed to the model's server as it is": {r".*\.url format uri -> -": 2},
    "token caps below 256 worked in the original service": {r".*_tokens minimum 256 -> 1": 6},
    "a run has up to 128 tools, as an assistant": {r".*\.tools maxItems 20 -> 128": 3},
    "kept as sent in every body, where the published file has it in some": {
        r".*\.vector_stores exists no -> yes": 5
    },
    "any object: kept without effect": {
        r"sent \S+\.vector_stores\[\]\.\w+ exists yes -> no": 9,
        r"sent \S+\.vector_stores\[\] additionalProperties - -> yes": 3,
        r".* FileSearchRankingOptions\.\w+ exists yes -> no": 4,
        r".* FileSearchRankingOptions additionalProperties - -> yes": 2,
        r".* FileSearchRankingOptions required score_threshold -> -": 2,
    },
    "the published file has this at the list instead of its items, where it means nothing": {
        r"sent CreateMessageRequest.attachments required file_id,tools -> -": 1
    },
    "an output of no call is of no use": {
        r"sent \S+\.tool_outputs\[\] required - -> tool_call_id": 1
    },
    "only a function has a name: three kinds told apart": {r".*\.tool_choice<\S+> exists .*": 12},
    # answers
    "nothing else is answered": {r"answered \S+ additionalProperties - -> no": 88},
    "these are always there": {r"answered \S+ required .* -> .*": 16},
    "numbers as in requests, and counts": {
        r"answered \w+\.(temperature|top_p) maximum - -> [12]": 2,
        r"answered \S+ minimum - -> 0": 11,
    },
    "the value that holds is shown, never null": {
        r"answered (Metadata|RunObject\.(tool_choice|truncation_strategy)) null yes -> -": 3,
        r"answered \w+\.(temperature|top_p|response_format) null yes -> -": 6,
    },
    "parts that are described once, for both ways: they hold what was sent, and that was checked": {
        r"answered Metadata(\.\*)? max\w+ - -> \d+": 2,
        r"answered MessageContentImage\S+ (null - -> yes|m\w+Length - -> \d+)": 5,
        r"answered MessageObject\.attachments\S+ (null - -> yes|maxLength - -> 256)": 3,
        r"answered \w+\.tool_resources\S+ (null - -> yes|maxLength - -> 256)": 12,
        r"answered (AssistantTools|FileSearch|Function|ResponseFormat)\S+ null - -> yes": 7,
    },
    "null for an empty list, in recorded answers too": {
        r"answered \w+\.(first_id|last_id) null - -> yes": 8
    },
    "always this": {
        r"answered \w+\.object enum - -> list": 4,
        r"answered \w+\.deleted enum - -> True": 3,
    },
    "the longest page": {r"answered \w+\.data maxItems - -> 100": 4},
    "forgotten in the published file": {r"answered List\w+ type - -> object": 2},
    "in recorded answers, or in the SDKs' types": {
        r"answered (AssistantObject|RunObject)\.reasoning_effort exists no -> yes": 2,
        r"answered RunObject\.tool_resources exists no -> yes": 1,
        r"answered RunObject\.instructions null - -> yes": 1,
        r"answered RunObject\.incomplete_details\.reason enum .* -> content_filter,.*": 1,
        r"answered RunStepObject\.expires_at exists no -> yes": 1,
        r"answered \w+Usage\.\w+_details exists no -> yes": 4,
    },
    "no file is ever cited, no built-in tool called, no image made": {
        r"answered \S+\.annotations(\[\]<\w+> exists .*| maxItems - -> 0)": 8,
        r"answered \S+\.tool_calls\[\]<(code_interpreter|file_search)> exists yes -> no": 4,
        r"answered \S+\.delta\.content\[\]<image_(file|url)> exists yes -> no": 2,
    },
    "such a step comes whole": {r"answered \S+step_details<message_creation> exists yes -> no": 1},
    "not in recorded answers": {r"answered MessageDeltaObject\.delta\.role exists yes -> no": 1},
    "the event's error both ways: openai-python reads it under error": {
        r"answered Error\.error exists no -> yes": 1
    },
    "the words that there are": {r"answered Error\.(type|code) enum - -> .*": 2},
}


def test_it_differs_as_the_table_says():
    table = {rule: count for rules in DIFFERENCES.values() for rule, count in rules.items()}
    found = dict.fromkeys(table, 0)
    unknown = []
    for line in Diff(PUBLISHED, document()).lines():
        rule = next((rule for rule in table if re.fullmatch(rule, line)), None)
        if rule is None:
            unknown.append(line)
        else:
            found[rule] += 1
    assert unknown == []
    assert found == table
