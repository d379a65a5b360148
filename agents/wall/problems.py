"""Errors as problem details (RFC 9457): what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
import hmac
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
from aiohttp import ClientConnectionResetError, web

from schemas.errors import UnavailableError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CONTENT_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        name: Stable name of the sort of problem; its ``type`` is ``urn:salespulse:problem:{name}``.
        title: The sort of problem in words.
        detail: What is wrong with this request, and what would be right.
        more: Further members, for programs.
    """

    def __init__(self, status: int, name: str, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.document = {
            "type": f"urn:salespulse:problem:{name}",
            "title": title,
            "status": status,
            "detail": detail,
            **more,
        }


def bad_parameter(parameter: str, found: str, allowed: Iterable[str], what: str) -> ProblemError:
    """Refuse a value of a query parameter that is none of those allowed."""
    names = list(allowed)
    close = difflib.get_close_matches(found, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    detail = f"{parameter}: found {found!r}, which is no {what}; {hint}Allowed: {', '.join(names)}."
    more = {"did_you_mean": close[0]} if close else {}
    return ProblemError(
        400, f"unknown-{what.replace(' ', '-')}", f"No such {what}", detail, parameter=parameter, **more
    )


def guarded(handler: Handler, token: str = "") -> Handler:
    """Return the handler with errors as problem details and, where a token is set, only for those who have it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            if token:
                _require(request, token)
            return await handler(request)
        except ProblemError as problem:
            return _response(request, problem)
        except UnavailableError as error:
            return _response(request, ProblemError(503, "unavailable", "A server does not answer", str(error)))
        except ClientConnectionResetError:
            raise web.HTTPBadRequest from None  # nobody is there to read it

    return answer


async def not_found(request: web.Request) -> web.StreamResponse:
    """Answer for every path under ``/api/`` that does not exist."""
    raise ProblemError(404, "not-found", "No such resource", f"{request.path}: see /openapi.json for what there is.")


def _require(request: web.Request, token: str) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    found = given.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
    if not hmac.compare_digest(found.encode(), token.encode()):
        detail = (
            "Send the token of the setting http.token as 'Authorization: Bearer ...' or, from a page, as ?token=..."
        )
        raise ProblemError(401, "unauthorized", "A token is needed", detail)


def _response(request: web.Request, problem: ProblemError) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(problem.document | {"instance": request.path})
    return web.Response(status=problem.status, body=body, content_type=CONTENT_TYPE, headers=headers)
