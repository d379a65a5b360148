import json
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from agents.pages import serve
from agents.problems import ProblemError
from schemas.errors import UnavailableError
from schemas.settings import settings_from

SETTINGS = settings_from({"http": {"port": 0}})


async def fine(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="fine")


async def moved(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/fine")


async def broken(_request: web.Request) -> web.StreamResponse:
    raise ZeroDivisionError("password 1234")


async def away(_request: web.Request) -> web.StreamResponse:
    raise UnavailableError("Redis does not answer")


async def wrong(_request: web.Request) -> web.StreamResponse:
    raise ProblemError(400, "wrong", "Wrong", "x: found 1", parameter="x")


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise ZeroDivisionError


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    handlers = (fine, moved, broken, away, wrong, half)
    runner, url = await serve(SETTINGS, [web.get(f"/{handler.__name__}", handler) for handler in handlers])
    async with aiohttp.ClientSession(url) as session:
        yield session
    await runner.cleanup()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "status", "name", "detail"),
    [
        ("GET", "/nope", 404, "not-found", "/nope: there is nothing here."),
        ("POST", "/fine", 405, "method-not-allowed", "/fine: found POST; allowed: GET, HEAD."),
        ("GET", "/broken", 500, "internal-error", "/broken: unexpected ZeroDivisionError."),
        ("GET", "/away", 503, "unavailable", "Redis does not answer"),
        ("GET", "/wrong", 400, "wrong", "x: found 1"),
    ],
)
async def test_every_error_is_a_problem_document(
    http: aiohttp.ClientSession, method: str, path: str, status: int, name: str, detail: str
) -> None:
    async with http.request(method, path) as response:
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers.get("Allow") == ("GET,HEAD" if status == 405 else None)
        text = await response.text()
        problem = json.loads(text)
        assert (problem["type"], problem["status"]) == (f"urn:salespulse:problem:{name}", status)
        assert (problem["instance"], problem["title"] != "") == (path, True)
        assert problem["detail"].startswith(detail)
        assert "1234" not in text


@pytest.mark.asyncio
async def test_what_nobody_expected_is_in_the_log(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "agents.problems"):
        await (await http.get("/broken")).read()
    (record,) = caplog.records
    assert record.getMessage() == "GET /broken: unexpected ZeroDivisionError"
    assert record.exc_info is not None


@pytest.mark.asyncio
async def test_what_is_no_error_stays_as_it_is(http: aiohttp.ClientSession) -> None:
    async with http.get("/moved", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/fine")
    async with http.get("/fine") as response:
        assert await response.text() == "fine"


@pytest.mark.asyncio
async def test_half_an_answer_is_cut_and_gets_no_second_head(http: aiohttp.ClientSession) -> None:
    async with http.get("/half") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
