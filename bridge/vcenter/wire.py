"""One HTTP request to a vCenter and its reply, or one error.

Chooses between the two paths, and says what came of an exchange, in the same words for both. No
cookie, redirect, proxy or compression, and nothing of a request is kept once it has ended.
"""

import time
from collections.abc import Callable

from yarl import URL

from bridge.config import VCenterConfig
from bridge.vcenter.body import EntropyBody
from bridge.vcenter.diagnosis import Call, Target, doing, from_exception
from bridge.vcenter.errors import ProtocolError, SendFate, Unreachable, VCenterError
from bridge.vcenter.fastpath import FastPath, is_tested_with
from bridge.vcenter.headers import Address, SecretHeaders
from bridge.vcenter.path import FAILURES, Path
from bridge.vcenter.plainpath import PlainPath
from bridge.vcenter.replies import Reply
from bridge.vcenter.tls import client_context

REPLY_BYTES_MAX = 1 << 20
_CONNECTIONS_BESIDE = 2  # for a login and a look at the inventory

Observer = Callable[[Call, float, int | None], None]
"""Told of every request: its kind, its seconds, and its status if one came."""


class Wire:
    """The connections to one vCenter."""

    def __init__(self, config: VCenterConfig, observer: Observer | None = None) -> None:
        self.target = Target(config.name, URL(config.url).origin(), config.username)
        self._config = config
        self._n_requests = config.max_in_flight
        self._observer = observer
        self._path: Path | None = None
        self._origin = str(self.target.origin)

    def address(self, path: str, query: str = "") -> Address:
        """Build an address from a path and a query that are encoded already."""
        return Address(URL(f"{self._origin}{path}{'?' if query else ''}{query}", encoded=True))

    def open(self) -> None:
        """Get ready to connect, in a running event loop; raises BadCaFile."""
        if self._path is not None:
            return
        tls = client_context(self._config.ca_file)
        if self._config.fast_path and is_tested_with():
            limit = self._n_requests + _CONNECTIONS_BESIDE
            self._path = FastPath(self._config, tls, limit=limit)
        else:
            self._path = PlainPath(self._config, tls)

    def allow(self, n_requests: int) -> None:
        """Make no more connections than that many requests at a time want."""
        self._n_requests = n_requests
        if self._path is not None:
            self._path.allow(n_requests + _CONNECTIONS_BESIDE)

    async def close(self) -> None:
        """Close all connections."""
        if self._path is not None:
            await self._path.close()

    async def request(
        self,
        call: Call,
        method: str,
        address: Address,
        headers: SecretHeaders,
        *,
        host: str | None = None,
        body: EntropyBody | None = None,
        reply_bytes_max: int = REPLY_BYTES_MAX,
    ) -> Reply:
        """Send one request and return its reply, whatever the status.

        Raises VCenterError, or what called the body off.
        """
        begun = time.monotonic() if self._observer is not None else 0.0
        status: int | None = None
        outcome: Reply | Exception
        try:
            path = self._path
            if path is None or not path.is_open():
                raise Unreachable(self.target.says(f"cannot {doing(call, host)}: it is closed"))
            outcome = await path.exchange(method, address, headers, body, reply_bytes_max)
            status = outcome.status
            if status < 300 and (outcome.trouble or outcome.early or outcome.too_large):
                outcome = self._no_success(outcome, call, host, body, reply_bytes_max)
        except VCenterError as error:
            outcome = error.with_traceback(None)
        except FAILURES as error:
            if body is not None and body.called_off is not None:
                outcome = body.called_off.with_traceback(None)
            else:
                outcome = from_exception(self.target, call, error, host=host, fate=fate_now(body))
        finally:
            if body is not None and not body.is_out():
                body.abort()  # closed gently, the transport would go on sending
            if self._observer is not None:
                self._observer(call, time.monotonic() - begun, status)
        if isinstance(outcome, Exception):
            try:
                raise outcome from None
            finally:
                del outcome  # or this frame and the exception keep each other
        return outcome

    def _no_success(
        self,
        reply: Reply,
        call: Call,
        host: str | None,
        body: EntropyBody | None,
        bytes_max: int,
    ) -> VCenterError:
        """Say what is wrong with a reply that cannot be used; an error's status can be."""
        fate = fate_now(body)
        if reply.trouble is not None:
            return from_exception(self.target, call, reply.trouble, host=host, fate=fate)
        problem = f"the reply is larger than {bytes_max} bytes"
        if reply.early:
            problem = "the reply came before the request was sent"
        text = self.target.says(f"cannot {doing(call, host)}: {problem}")
        return ProtocolError(text, fate=fate, status=reply.status)


def fate_now(body: EntropyBody | None) -> SendFate:
    """Return the fate of a body that no status was given for."""
    return SendFate.UNKNOWN if body is not None and body.started else SendFate.NOT_SENT
