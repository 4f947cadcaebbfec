"""What a way to make an HTTP exchange with a vCenter must offer; there are two of them."""

from typing import Protocol

import aiohttp
from aiohttp.http import HttpProcessingError

from bridge.vcenter.body import EntropyBody
from bridge.vcenter.headers import Address, SecretHeaders
from bridge.vcenter.replies import Reply

KEEP_ALIVE_SECONDS = 120.0  # vCenter's proxy ends idle connections after 900
CONNECT_SECONDS_MAX = 10.0


class NotHttp(Exception):
    """What came is not HTTP as it should be; the text says in what, without quoting it."""


FAILURES = (aiohttp.ClientError, HttpProcessingError, NotHttp, OSError)
"""What an exchange may raise, beside CancelledError."""


class Path(Protocol):
    """Connections to one vCenter, and exchanges over them; used within one event loop."""

    async def exchange(
        self,
        method: str,
        address: Address,
        headers: SecretHeaders,
        body: EntropyBody | None,
        reply_bytes_max: int,
    ) -> Reply:
        """Make one exchange; raises one of FAILURES when no status came.

        A GET or DELETE on a connection that turns out to be gone is sent once more. A body that
        is answered before it is out is not sent on.
        """

    def allow(self, limit: int) -> None:
        """Have no more than `limit` connections; those in use are not closed for it."""

    def is_open(self) -> bool:
        """Whether exchanges can be made."""

    async def close(self) -> None:
        """Close all connections."""
