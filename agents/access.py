"""Who may ask: where a token is set, only those who have it."""

from __future__ import annotations

import hmac

from aiohttp import web
from aiohttp.typedefs import Handler

from agents.problems import ProblemError


def guarded(handler: Handler, token: str) -> Handler:
    """Return the handler for those who have the token; for everybody where it is empty.

    Raises:
        ProblemError: 401, by the handler: there is no token in the request, or another one.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        if not is_allowed(request, token):
            detail = (
                "Send the token of the setting http.token as 'Authorization: Bearer ...' or, from a page, as ?token=..."
            )
            raise ProblemError(401, "unauthorized", "A token is needed", detail)
        return await handler(request)

    return answer


def is_allowed(request: web.Request, token: str) -> bool:
    """Tell whether a request has the token; every one has where it is empty."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    found = given.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
    return not token or hmac.compare_digest(found.encode(), token.encode())
