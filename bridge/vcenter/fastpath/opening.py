"""Has aiohttp's connector make a connection, and takes it over."""

from typing import TYPE_CHECKING, NoReturn

import aiohttp

if TYPE_CHECKING:
    from aiohttp.client_middlewares import ClientHandlerType
    from aiohttp.connector import Connection
    from yarl import URL


class _Taken(Exception):
    """The connection was made, and the request that it was made for is not to be sent."""


async def open_connection(http: aiohttp.ClientSession, url: "URL") -> "Connection":
    """Connect as aiohttp does for a request to `url`; raises what it raises.

    A middleware is where aiohttp hands out a request that has everything that its connector wants
    to know, before it connects.
    """
    if http.closed:
        raise aiohttp.ClientConnectionError("the client is closed")
    taken: list[Connection] = []

    async def take(request: aiohttp.ClientRequest, _handler: "ClientHandlerType") -> NoReturn:
        connector = http.connector
        assert connector is not None  # noqa: S101 - of a client that is open
        try:
            taken.append(await connector.connect(request, traces=[], timeout=http.timeout))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        raise _Taken

    try:
        await http.get(url, middlewares=(take,))
    except _Taken:
        return taken[0]
    except BaseException:
        for connection in taken:
            connection.close()
        raise
    raise RuntimeError("aiohttp did not ask its middleware")
