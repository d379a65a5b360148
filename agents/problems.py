"""Errors as problem details (RFC 9457): what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import ClientConnectionResetError, hdrs, web
from aiohttp.typedefs import Handler

from schemas.errors import UnavailableError

_LOG: Final = logging.getLogger(__name__)
CONTENT_TYPE: Final = "application/problem+json"
_OF_THE_BODY: Final = (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH)


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


@web.middleware
async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with problem details, also those of the router and those that nobody expected."""
    try:
        return await handler(request)
    except ClientConnectionResetError:
        raise web.HTTPBadRequest from None  # nobody is there to read it
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {name: value for name, value in error.headers.items() if name not in _OF_THE_BODY}
        return _response(request, _of_http(request, error), headers)
    except Exception as error:
        if request.writer.output_size > 0:
            raise  # half of the answer is out: the server logs why, and cuts the connection
        return _response(request, _of_error(request, error))


def _of_http(request: web.Request, error: web.HTTPException) -> ProblemError:
    if error.status == 404:
        return ProblemError(404, "not-found", "No such resource", f"{request.path}: there is nothing here.")
    name, title = error.reason.lower().replace(" ", "-"), error.reason.capitalize()
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return ProblemError(405, name, title, f"{request.path}: found {error.method}; allowed: {allowed}.")
    return ProblemError(error.status, name, title, error.text or title)


def _of_error(request: web.Request, error: Exception) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, UnavailableError):
        return ProblemError(503, "unavailable", "A server does not answer", str(error))
    _LOG.error("%s %s: unexpected %s", request.method, request.path, type(error).__name__, exc_info=error)
    detail = f"{request.path}: unexpected {type(error).__name__}. This is a fault of SalesPulse; its log says more."
    return ProblemError(500, "internal-error", "This cannot be answered", detail)


def _response(request: web.Request, problem: ProblemError, more: Mapping[str, str] | None = None) -> web.Response:
    headers = {"Cache-Control": "no-store", **(more or {})}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(problem.document | {"instance": request.path})
    return web.Response(status=problem.status, body=body, content_type=CONTENT_TYPE, headers=headers)
