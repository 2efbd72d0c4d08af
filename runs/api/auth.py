"""Who calls: a key in the Authorization header, and through it a project."""

from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from runs import operations
from runs.contract import keys
from runs.contract.errors import MissingBeta, MissingKey, WrongKey
from runs.models import ApiKey, Project


@dataclass(frozen=True, slots=True)
class Caller:
    """What the framework calls the user: a key and the project it acts for."""

    key: ApiKey
    is_authenticated: ClassVar[bool] = True

    @property
    def project(self) -> Project:
        """The project whose objects the caller sees."""
        found: Project = self.key.project
        return found


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer KEY``, or ``api-key: KEY`` as Azure's clients send it. Nothing
    else opens the API: no cookie, no session."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey]:
        """The caller.

        Raises:
            MissingKey, WrongKey: no key was sent, or one that we do not know (any more).
            MissingBeta: the header is missing and ``RUNSITE_STRICT_BETA`` is set.
        """
        plaintext = given_key(request)
        if not plaintext:
            raise MissingKey
        key = operations.find_key(plaintext)
        if key is None:
            raise WrongKey(keys.mask(plaintext))
        if settings.RUNSITE_STRICT_BETA and "assistants=v2" not in request.headers.get(
            "OpenAI-Beta", ""
        ):
            raise MissingBeta
        return Caller(key), key

    def authenticate_header(self, request: Request) -> str:
        """The scheme that a 401 asks for."""
        return "Bearer"


def given_key(request: Request) -> str:
    """The key that came with the request; empty if there is none."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return str(request.headers.get("api-key", "")).strip()
