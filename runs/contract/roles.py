"""Who may do what in the console: the one table that views, sockets, templates and tests read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What somebody is in a project. Each may do all that those before it may.

    ``instance`` is never stored: it is what Django's ``is_staff`` means, in every project.
    """

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"
    INSTANCE = "instance"

    def covers(self, needed: "Role | None") -> bool:
        """Whether this role is enough; nothing is enough for None."""
        return needed is not None and RANKS[self] >= RANKS[needed]


RANKS: Mapping[Role, int] = {role: rank for rank, role in enumerate(Role)}
#: The roles that a member can have.
GIVEN = (Role.READER, Role.OPERATOR, Role.ADMIN)


class Needs(NamedTuple):
    """The role that a route asks for, by what is done there. None: not done there at all."""

    get: Role | None
    post: Role | None


_R, _O, _A, _I = Role

#: Each route of the console behind the sign-in, by its name. Where a form is posted to an address
#: of its own, GET is sent to the page with the form and needs what that page needs.
NEEDS: Mapping[str, Needs] = {
    "overview": Needs(_R, None),
    "runs": Needs(_R, None),
    "runs-live": Needs(_R, None),
    "bulk": Needs(_R, _O),
    "export-runs": Needs(_R, _R),
    "views": Needs(_R, _R),
    "view": Needs(_R, _R),
    "new-run": Needs(_O, _O),
    "preview-run": Needs(_O, _O),
    "go": Needs(_R, None),
    "short": Needs(_R, None),
    "run": Needs(_R, None),
    "run-socket": Needs(_R, None),
    "events": Needs(_R, None),
    "export": Needs(_R, None),
    "step": Needs(_R, None),
    "step-text": Needs(_R, None),
    "cancel": Needs(_R, _O),
    "run-code": Needs(_R, None),
    "rerun": Needs(_R, _O),
    "compare": Needs(_R, None),
    "outputs": Needs(_R, _O),
    "fill-outputs": Needs(_R, _O),
    "threads": Needs(_R, None),
    "thread": Needs(_R, None),
    "add-message": Needs(_R, _O),
    "delete-thread": Needs(_R, _O),
    "assistants": Needs(_R, None),
    "new-assistant": Needs(_O, _O),
    "assistant": Needs(_R, _O),
    "delete-assistant": Needs(_R, _O),
    "assistant-versions": Needs(_R, None),
    "restore-assistant": Needs(_R, _O),
    "output-schemas": Needs(_R, _O),
    "output-schema": Needs(_R, _O),
    "usage": Needs(_R, None),
    "prices": Needs(_A, _A),
    "price": Needs(_A, _A),
    "import-prices": Needs(_A, _A),
    "keys": Needs(_A, _A),
    "revoke": Needs(_A, _A),
    "members": Needs(_A, _A),
    "member": Needs(_A, _A),
    "member-link": Needs(_A, _A),
    "projects": Needs(_R, _I),
    "choose-project": Needs(_R, _R),
    "inbox": Needs(_R, None),
    "attention-socket": Needs(_R, None),
    "settings": Needs(_R, _R),
    "password": Needs(_R, _R),
}
