"""The parts of request bodies that are about tools.

Functions are the client's to run. The built-in tools are stored and echoed, and not offered
to the model.
"""

from runs.contract import limits
from runs.inputs.bodies import Body, Tagged
from runs.inputs.fields import Field, Flag, Free, Items, Text, Whole


class Function(Body):
    """What a function tool is called and takes."""

    name = Text(pattern=limits.FUNCTION_NAME)
    description = Text(required=False)
    parameters = Free(required=False)
    strict = Flag(required=False)


class FunctionTool(Body):
    """A function that the client runs."""

    type = Text()
    function = Function()


class CodeInterpreterTool(Body):
    """A built-in tool: stored and echoed, not offered to the model."""

    type = Text()


class FileSearchOptions(Body):
    """Options of the built-in file search."""

    max_num_results = Whole(1, 50, required=False)
    ranking_options = Free(required=False)


class FileSearchTool(Body):
    """A built-in tool: stored and echoed, not offered to the model."""

    type = Text()
    file_search = FileSearchOptions(required=False)


class FunctionName(Body):
    """Which function a run must call."""

    name = Text(pattern=limits.FUNCTION_NAME)


class FunctionChoice(Body):
    """The one function that the model must call."""

    type = Text()
    function = FunctionName()


class BareType(Body):
    """An object that is its ``type`` alone."""

    type = Text()


def tools() -> Field:
    """The tools of an assistant or a run."""
    kinds: dict[str, type[Body]] = {
        "code_interpreter": CodeInterpreterTool,
        "file_search": FileSearchTool,
        "function": FunctionTool,
    }
    return Items(Tagged(kinds), most=limits.TOOLS, required=False)


def tool_choice() -> Field:
    """Whether, or which, tool the model must call."""
    kinds: dict[str, type[Body]] = {
        "function": FunctionChoice,
        "code_interpreter": BareType,
        "file_search": BareType,
    }
    return Tagged(kinds, ("none", "auto", "required"), required=False)


class CodeInterpreterResources(Body):
    """Files of the built-in code interpreter."""

    file_ids = Items(Text(max_length=limits.ID_LENGTH), most=20, required=False)


class FileSearchResources(Body):
    """Vector stores of the built-in file search."""

    vector_store_ids = Items(Text(max_length=limits.ID_LENGTH), most=1, required=False)
    vector_stores = Items(Free(), most=1, required=False)


class ToolResources(Body):
    """What the built-in tools may use: stored and echoed."""

    code_interpreter = CodeInterpreterResources(required=False)
    file_search = FileSearchResources(required=False)
