"""The session with a vCenter: one at a time, made when needed, renewed on 401, ended at close.

However many requests find the session gone, one login is made. A refused one is not repeated for
a while, whoever asks, because SSO locks accounts; nor is one whose session is not accepted, because
vCenter counts sessions.
"""

import asyncio
import copy
import time
from collections.abc import Callable

from pydantic import SecretStr

from bridge.vcenter.body import EntropyBody
from bridge.vcenter.diagnosis import Call, from_reply
from bridge.vcenter.errors import LoginRefused, ProtocolError, SendFate, VCenterError
from bridge.vcenter.headers import Address, SecretHeaders
from bridge.vcenter.replies import MalformedError, Reply
from bridge.vcenter.wire import REPLY_BYTES_MAX, Wire

REFUSED_LOGIN_PAUSE_SECONDS = 300.0
UNPROVED_SECONDS_MAX = 5.0  # then another login may fare better
CLOSE_SECONDS_MAX = 5.0
TOKEN_CHARACTERS_MAX = 4096


class Session:
    """Requests in a session with one vCenter."""

    def __init__(
        self, wire: Wire, password: SecretStr, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._wire = wire
        self.password = password
        self._clock = clock
        self._address = wire.address("/api/session")
        self._headers: SecretHeaders | None = None
        self._stale: SecretHeaders | None = None
        self._login: asyncio.Task[VCenterError | None] | None = None
        self._discards: set[asyncio.Task[None]] = set()
        self._refusal: LoginRefused | None = None
        self._refused_until = 0.0
        self._unproved: SecretHeaders | None = None  # made anew, and not accepted yet
        self._renewed_at = float("-inf")

    async def login(self) -> None:
        """Log in, if there is no session; raises VCenterError."""
        await self._authorised()

    def use_password(self, password: SecretStr) -> None:
        """Log in with this from now on, also if the last one was refused; a session stays."""
        self.password = password
        self._refusal = None

    async def get(
        self,
        call: Call,
        address: Address,
        *,
        host: str | None = None,
        reply_bytes_max: int = REPLY_BYTES_MAX,
    ) -> Reply:
        """Return the 200 reply to a GET, with a new session if need be; raises VCenterError."""
        for last in (False, True):
            headers = self._headers or await self._authorised()
            reply = await self._wire.request(
                call, "GET", address, headers, host=host, reply_bytes_max=reply_bytes_max
            )
            if reply.status == 200:
                self._accepted(headers)
                return reply
            is_lost = reply.status == 401 and self._forget(headers)
            if last or not is_lost:
                break
        raise from_reply(
            self._wire.target, call, reply, host=host, secret=headers.token, is_new=not is_lost
        )

    async def add(self, address: Address, body: EntropyBody, *, host: str) -> Reply:
        """Return the 200 reply to an add; it is never repeated. Raises VCenterError."""
        headers = self._headers or await self._authorised()
        reply = await self._wire.request(Call.ADD, "POST", address, headers, host=host, body=body)
        if reply.status == 200:
            self._accepted(headers)
            return reply
        is_lost = reply.status == 401 and self._forget(headers)
        if is_lost:
            # whoever asks next finds a session, or its login under way
            self._begin_login()
        fate = SendFate.UNKNOWN if reply.status < 300 else SendFate.REFUSED
        raise from_reply(
            self._wire.target,
            Call.ADD,
            reply,
            host=host,
            fate=fate if body.started else SendFate.NOT_SENT,
            secret=headers.token,
            is_new=not is_lost,
        )

    async def logout(self) -> None:
        """End the session on the vCenter, if that can be done soon."""
        if self._login is not None:
            await asyncio.wait({self._login}, timeout=CLOSE_SECONDS_MAX)
        for headers in (self._headers, self._stale):
            self._discard(headers)
        self._headers = self._stale = None
        if self._discards:
            await asyncio.wait(self._discards, timeout=CLOSE_SECONDS_MAX)
        left = [*self._discards, *([self._login] if self._login is not None else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _authorised(self) -> SecretHeaders:
        while self._headers is None:
            failure = await asyncio.shield(self._begin_login())
            if failure is not None:
                # to each who waits one of its own: a shared one collects all their frames
                failure = copy.copy(failure)
                try:
                    raise failure
                finally:
                    del failure
        return self._headers

    def _accepted(self, headers: SecretHeaders) -> None:
        if self._unproved is headers:
            self._unproved = None

    def _forget(self, headers: SecretHeaders) -> bool:
        """Give up a session that met 401; False if another would hardly fare better."""
        if self._headers is headers:
            soon = self._clock() < self._renewed_at + UNPROVED_SECONDS_MAX
            if self._unproved is headers and soon:
                return False
            self._headers = None
            self._stale = headers
        return True

    def _begin_login(self) -> asyncio.Task[VCenterError | None]:
        if self._login is None:
            self._login = asyncio.get_running_loop().create_task(self._log_in())
        return self._login

    async def _log_in(self) -> VCenterError | None:
        try:
            if self._refusal is not None and self._clock() < self._refused_until:
                again = copy.copy(self._refusal)
                again.retry_after_seconds = self._refused_until - self._clock()
                return again
            self._headers = await self._new_headers()
        except VCenterError as error:
            if isinstance(error, LoginRefused):
                error.retry_after_seconds = REFUSED_LOGIN_PAUSE_SECONDS
                self._refused_until = self._clock() + REFUSED_LOGIN_PAUSE_SECONDS
                self._refusal = error
            return error.with_traceback(None)
        else:
            self._refusal = None
            if self._stale is not None:
                self._unproved, self._renewed_at = self._headers, self._clock()
                # a 401 need not mean that vCenter counts the old one no longer
                self._discard(self._stale)
                self._stale = None
            return None
        finally:
            self._login = None

    async def _new_headers(self) -> SecretHeaders:
        target = self._wire.target
        reply = await self._wire.request(
            Call.LOGIN,
            "POST",
            self._address,
            SecretHeaders.of_login(target.username, self.password),
        )
        if reply.status not in (200, 201):
            raise from_reply(target, Call.LOGIN, reply, secret=self.password.get_secret_value())
        try:
            token = reply.json()
        except MalformedError:
            token = None
        if not isinstance(token, str) or not _is_token(token):
            raise ProtocolError(
                target.says("cannot log in: the reply holds no session id; check url"),
                status=reply.status,
            )
        return SecretHeaders.of_token(token)

    def _discard(self, headers: SecretHeaders | None) -> None:
        if headers is None:
            return
        task = asyncio.get_running_loop().create_task(self._delete(headers))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)

    async def _delete(self, headers: SecretHeaders) -> None:
        try:
            await self._wire.request(Call.LOGOUT, "DELETE", self._address, headers)
        except VCenterError:
            return  # it will expire


def _is_token(text: str) -> bool:
    return 0 < len(text) <= TOKEN_CHARACTERS_MAX and text.isascii() and text.isprintable()
