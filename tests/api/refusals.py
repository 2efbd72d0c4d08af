"""The texts of the catalogue of errors, as the original service was recorded to send them.

The first functions give ``(code, param, message)`` of one kind of bad input.
"""

from dataclasses import dataclass
from typing import Any

from runs.contract import errors
from runs.contract.errors import ApiError, BadRequest, NotFound
from runs.contract.limits import BODY_BYTES

Bad = tuple[str | None, str | None, str]


def too_long(param: str, most: int, got: int) -> Bad:
    """A string over its limit."""
    return (
        "string_above_max_length",
        param,
        f"Invalid '{param}': string too long. Expected a string with maximum length {most}, "
        f"but got a string with length {got} instead.",
    )


def too_long_a_name(param: str, most: int, got: int) -> Bad:
    """A property whose name is over its limit."""
    code, _, text = too_long(param, most, got)
    return code, param, text.replace("Invalid ", "Invalid property name in ", 1)


def too_short(param: str, kind: str = "string") -> Bad:
    """An empty string or array where there must be something."""
    article = "an" if kind == "array" else "a"
    return (
        f"{kind}_below_min_length",
        param,
        f"Invalid '{param}': empty {kind}. Expected {article} {kind} with minimum length 1, but "
        f"got an empty {kind} instead.",
    )


def too_many(param: str, most: int, got: int) -> Bad:
    """An array over its limit."""
    return (
        "array_above_max_length",
        param,
        f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but "
        f"got an array with length {got} instead.",
    )


def too_many_pairs(param: str, got: int) -> Bad:
    """Metadata of more than 16 pairs."""
    return (
        "object_above_max_properties",
        param,
        f"Invalid '{param}': too many properties. Expected an object with at most 16 "
        f"properties, but got an object with {got} properties instead.",
    )


def wrong_type(param: str, expected: str, got: str) -> Bad:
    """Another JSON type."""
    text = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return "invalid_type", param, text


def missing(param: str) -> Bad:
    """A required field that is not there, or null."""
    return "missing_required_parameter", param, f"Missing required parameter: '{param}'."


def unknown(param: str) -> Bad:
    """A field that the operation does not know."""
    return "unknown_parameter", param, f"Unknown parameter: '{param}'."


def out_of_range(param: str, kind: str, way: str, sign: str, bound: Any, got: Any) -> Bad:
    """A number out of bounds. ``way``: "above maximum" or "below minimum"."""
    code = f"{kind}_{'above_max' if way == 'above maximum' else 'below_min'}_value"
    return (
        code,
        param,
        f"Invalid '{param}': {kind} {way} value. Expected a value {sign} {bound}, "
        f"but got {got} instead.",
    )


def above(param: str, kind: str, bound: Any, got: Any) -> Bad:
    """A number over its limit."""
    return out_of_range(param, kind, "above maximum", "<=", bound, got)


def below(param: str, kind: str, bound: Any, got: Any) -> Bad:
    """A number under its limit."""
    return out_of_range(param, kind, "below minimum", ">=", bound, got)


def bad_value(param: str, value: str, choices: str) -> Bad:
    """None of a few strings."""
    return "invalid_value", param, f"Invalid value: '{value}'. Supported values are: {choices}."


def wrong_prefix(param: str, value: str, prefix: str) -> Bad:
    """An id of another kind of object."""
    text = f"Invalid '{param}': '{value}'. Expected an ID that begins with '{prefix}'."
    return "invalid_value", param, text


# --- what is answered ---


@dataclass(frozen=True)
class Refusal:
    """A whole error. ``kind`` is the class that it comes from."""

    kind: type[ApiError]
    status: int
    message: str
    code: str | None = None
    param: str | None = None

    @property
    def error(self) -> dict[str, Any]:
        """The error as it is sent."""
        return {
            "message": self.message,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }


def bad(found: Bad) -> Refusal:
    """A 400 of bad input."""
    code, param, message = found
    return Refusal(BadRequest, 400, message, code, param)


NO_KEY = Refusal(
    errors.MissingKey,
    401,
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
)
NO_BETA = Refusal(
    errors.MissingBeta,
    400,
    "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by "
    "setting the header 'OpenAI-Beta: assistants=v2'.",
    "invalid_beta",
)
TOO_LARGE = Refusal(
    errors.TooLarge, 413, f"The request body is larger than {BODY_BYTES} bytes.", "body_too_large"
)


def wrong_key(shown: str) -> Refusal:
    """A key that is not known, or not any more."""
    text = (
        f"Incorrect API key provided: {shown}. Create one in the console or with "
        "`manage.py create_key`."
    )
    return Refusal(errors.WrongKey, 401, text, "invalid_api_key")


def not_json(reason: str) -> Refusal:
    """A body that cannot be read."""
    text = (
        f"We could not parse the JSON body of your request. {reason} The API expects a JSON "
        "object in UTF-8."
    )
    return Refusal(errors.NotJson, 400, text)


def not_an_object(got: str) -> Refusal:
    """A body of another JSON type."""
    text = f"The request body must be a JSON object, but got {got} instead."
    return Refusal(BadRequest, 400, text, "invalid_type")


#: The names that ids have in routes: what their objects are called, how they begin.
IDS = {
    "assistant_id": ("assistant", "asst"),
    "thread_id": ("thread", "thread"),
    "message_id": ("message", "msg"),
    "run_id": ("run", "run"),
    "step_id": ("run step", "step"),
}


def not_found(name: str, object_id: str) -> Refusal:
    """No object of that id, as the route's ``name`` calls it."""
    return Refusal(NotFound, 404, f"No {IDS[name][0]} found with id '{object_id}'.")
