"""A headless Chromium for tests of pages, driven over its DevTools protocol.

::

    async with Browser(chromium_path) as browser:
        page = await browser.open("http://127.0.0.1:8080/?page=1", 1920, 1080)
        await page.wait_for("document.querySelectorAll('.tile').length === 8")
        assert await page.evaluate("document.title") == "SalesPulse"
        await page.screenshot(Path("wall.png"))
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from agents.brokers import ChildProcess

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--mute-audio",
    "--remote-debugging-port=0",
)
_START_DEADLINE_S: Final = 30.0
_CALL_DEADLINE_S: Final = 30.0


class Browser:
    """A Chromium with a profile of its own, gone with its profile at the end of the block.

    Args:
        program: Path of Chromium or Chrome.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def __aenter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        profile = Path(self._home.name) / "profile"
        profile.mkdir()
        argv = [self._program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = ChildProcess("Chromium", argv, Path(self._home.name) / "log", env={"HOME": self._home.name})
        port_file = profile / "DevToolsActivePort"
        await self._process.start(lambda: _lines(port_file) >= 2, _START_DEADLINE_S)
        port, path = port_file.read_text().split("\n")[:2]
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError):  # it is ended below all the same
            await self.call("Browser.close")
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()
        await self._session.close()
        await self._process.stop(deadline_s=5.0)
        self._home.cleanup()

    async def open(self, url: str, width: int = 1920, height: int = 1080, *, reduced_motion: bool = False) -> Page:
        """Open a page in a window of this size (CSS pixels) and return when its document is loaded."""
        target = await self.call("Target.createTarget", {"url": "about:blank"})
        attached = await self.call("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        page = Page(self, attached["sessionId"], target["targetId"])
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await page.call("Emulation.setDeviceMetricsOverride", size)
        if reduced_motion:
            feature = {"name": "prefers-reduced-motion", "value": "reduce"}
            await page.call("Emulation.setEmulatedMedia", {"features": [feature]})
        await page.goto(url)
        return page

    async def call(
        self, method: str, parameters: dict[str, Any] | None = None, session: str | None = None
    ) -> dict[str, Any]:
        """Call a method of the DevTools protocol.

        Raises:
            RuntimeError: The browser refused it.
        """
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters or {}}
        await self._socket.send_str(json.dumps(message | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(_CALL_DEADLINE_S):
            found = await answer
        if "error" in found:
            raise RuntimeError(f"{method}: {found['error'].get('message')}")
        result: dict[str, Any] = found["result"]
        return result

    async def _read(self) -> None:
        async for message in self._socket:
            document = json.loads(message.data)
            if "id" in document:
                answer = self._waiting.pop(document["id"])
                if not answer.done():
                    answer.set_result(document)
            elif page := self._pages.get(document.get("sessionId", "")):
                page.heard(document["method"], document["params"])
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the browser has gone"))


class Page:
    """A page that is open.

    Attributes:
        requests: URLs of everything it asked for.
        errors: What it wrote to the console as errors or threw.
    """

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._loaded = asyncio.Event()

    async def goto(self, url: str) -> None:
        """Go to an address and return when the document is loaded."""
        self._loaded.clear()
        answer = await self.call("Page.navigate", {"url": url})
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        async with asyncio.timeout(_CALL_DEADLINE_S):
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression comes to, as JSON; a promise is awaited.

        Raises:
            RuntimeError: It threw.
        """
        wanted = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = await self.call("Runtime.evaluate", wanted)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    async def wait_for(self, expression: str, deadline_s: float = 20.0) -> None:
        """Return when a JavaScript expression is true.

        Raises:
            AssertionError: It was not within the deadline; with what the page says instead.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + deadline_s
        while not await self.evaluate(expression):
            if loop.time() > end_s:
                text = await self.evaluate("document.body.innerText")
                raise AssertionError(
                    f"not within {deadline_s:g} s: {expression}\nerrors: {self.errors}\nthe page says:\n{text}"
                )
            await asyncio.sleep(0.05)

    async def screenshot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        answer = await self.call("Page.captureScreenshot", {"format": "png"})
        await asyncio.to_thread(_write, path, base64.b64decode(answer["data"]))

    async def close(self) -> None:
        """Close it: a browser keeps six connections to a server at most, and a page with a stream needs one."""
        await self._browser.call("Target.closeTarget", {"targetId": self._target})

    async def call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a method of the DevTools protocol on this page."""
        return await self._browser.call(method, parameters, self._session)

    def heard(self, method: str, parameters: dict[str, Any]) -> None:
        """Take an event of the protocol."""
        listeners: dict[str, Callable[[dict[str, Any]], object]] = {
            "Page.loadEventFired": lambda _: self._loaded.set(),
            "Network.requestWillBeSent": lambda event: self.requests.append(event["request"]["url"]),
            "Runtime.exceptionThrown": lambda event: self.errors.append(_thrown(event)),
            "Log.entryAdded": self._log,
        }
        if method in listeners:
            listeners[method](parameters)

    def _log(self, event: dict[str, Any]) -> None:
        entry = event["entry"]
        if entry["level"] == "error":
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")


def _thrown(event: dict[str, Any]) -> str:
    details = event["exceptionDetails"]
    return str(details.get("exception", {}).get("description") or details["text"])


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _lines(path: Path) -> int:
    try:
        return len(path.read_text().split("\n"))
    except OSError:
        return 0
