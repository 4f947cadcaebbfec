"""The page in a real browser: who is somewhere in it stays there when it becomes new."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import ClientError, ClientSession

from bridge.config import StatusConfig
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.status import StatusServer, status_app

FIRST = "document.querySelector('.scroll')"


class Tab:
    """One page, spoken to by Chromium's own protocol."""

    def __init__(self, socket):
        self._socket = socket

    async def value(self, expression):
        """Return what an expression of JavaScript comes to."""
        parameters = {"expression": expression, "returnByValue": True}
        await self._socket.send_json({"id": 1, "method": "Runtime.evaluate", "params": parameters})
        reply = await self._socket.receive_json()
        return reply["result"]["result"].get("value")

    async def renewed(self):
        """Wait until what is shown was replaced."""
        await self.value("document.getElementById('live').dataset.old = 'yes'")
        async with asyncio.timeout(30):
            while await self.value("document.getElementById('live').dataset.old"):
                await asyncio.sleep(0.1)


@pytest.fixture
async def tab(snapshot, tmp_path):
    config = StatusConfig(listen="127.0.0.1:0")
    server = StatusServer(config, status_app(config, lambda: snapshot, Metrics(), lambda: True))
    await server.start()
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=420,800"]
    words += ["--remote-debugging-port=0", f"--user-data-dir={tmp_path}", server.url]
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
    browser = await asyncio.create_subprocess_exec(*words, **quiet)
    try:
        async with (
            ClientSession() as session,
            session.ws_connect(await _address(session, tmp_path)) as socket,
        ):
            tab = Tab(socket)
            while not await tab.value("document.getElementById('live') !== null"):
                await asyncio.sleep(0.1)
            yield tab
    finally:
        browser.terminate()
        await browser.wait()
        await server.stop()


async def _address(session, profile):
    while True:
        with suppress(FileNotFoundError, ValueError, ClientError, StopIteration):
            port = int((profile / "DevToolsActivePort").read_text().split()[0])
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = [it for it in await answer.json() if it["type"] == "page"]
                return next(iter(pages))["webSocketDebuggerUrl"]
        await asyncio.sleep(0.1)


@pytest.mark.nightly
async def test_a_table_stays_where_it_was_scrolled_to_and_keeps_the_focus(tab):
    assert await tab.value(f"{FIRST}.scrollLeft = 60; {FIRST}.focus(); {FIRST}.scrollLeft") == 60
    await tab.renewed()
    assert await tab.value(f"{FIRST}.scrollLeft") == 60
    assert await tab.value(f"document.activeElement === {FIRST}") is True


@pytest.mark.nightly
async def test_what_is_typed_stays(tab):
    await tab.value("document.getElementById('q').focus()")
    await tab.value("document.getElementById('q').value = 'esx'")
    await tab.renewed()
    assert await tab.value("document.activeElement.value") == "esx"
