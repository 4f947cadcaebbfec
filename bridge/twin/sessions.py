"""vCenter's sessions: Basic login, idle and absolute expiry, a limit per user, a lockout."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field

from bridge.twin.errors import ApiError, too_many_sessions, unauthenticated

LOCKOUT_FAILURES = 5
LOCKOUT_WINDOW_SECONDS = 180.0
LOCKOUT_SECONDS = 300.0


@dataclass
class Session:
    """Somebody who is logged in; moments are of the twin's clock."""

    user: str
    created_seconds: float
    last_accessed_seconds: float


@dataclass(frozen=True)
class Account:
    """One user who may log in."""

    username: str
    password: str = field(repr=False)


class Sessions:
    """Who is logged in. Expired, unknown and missing sessions are the same 401."""

    def __init__(
        self,
        account: Account,
        *,
        idle_seconds: float = 7200.0,
        lifetime_seconds: float = 86_400.0,
        max_per_user: int = 550,
    ) -> None:
        self._account = account
        self._idle_seconds = idle_seconds
        self._lifetime_seconds = lifetime_seconds
        self._max_per_user = max_per_user
        self._sessions: dict[str, Session] = {}
        self._failures: list[float] = []
        self._locked_until = 0.0
        self.logins = 0
        self.refused_logins = 0

    def login_basic(self, authorization: str | None, now: float) -> str:
        """Return the token of a new session for an Authorization header of the Basic scheme."""
        credentials = parse_basic(authorization)
        if credentials is None:
            raise unauthenticated()
        return self.login(*credentials, now)

    def login(self, username: str, password: str, now: float) -> str:
        """Return the token of a new session; a locked account refuses the right password too."""
        right = hmac.compare_digest(username.encode(), self._account.username.encode())
        right &= hmac.compare_digest(password.encode(), self._account.password.encode())
        if now < self._locked_until or not right:
            raise self._refusal(now)
        self._drop_expired(now)
        if len(self._sessions) >= self._max_per_user:
            raise too_many_sessions(username, self._max_per_user, len(self._sessions))
        token = secrets.token_hex(16)
        self._sessions[token] = Session(username, now, now)
        self._failures.clear()
        self.logins += 1
        return token

    def touch(self, token: str | None, now: float) -> Session:
        """Return the session of a request that begins now, and note the access."""
        session = self._sessions.get(token) if token is not None else None
        if session is None:
            raise unauthenticated()
        if self._expired(session, now):
            del self._sessions[token or ""]
            raise unauthenticated()
        session.last_accessed_seconds = now
        return session

    def logout(self, token: str | None, now: float) -> None:
        """End a session."""
        self.touch(token, now)
        del self._sessions[token or ""]

    def expire_all(self) -> int:
        """End every session, as a restart of vCenter does; return how many there were."""
        count = len(self._sessions)
        self._sessions.clear()
        return count

    def count(self, now: float) -> int:
        """Return how many sessions are alive."""
        self._drop_expired(now)
        return len(self._sessions)

    def _expired(self, session: Session, now: float) -> bool:
        return (
            now - session.last_accessed_seconds >= self._idle_seconds
            or now - session.created_seconds >= self._lifetime_seconds
        )

    def _drop_expired(self, now: float) -> None:
        for token in [it for it, s in self._sessions.items() if self._expired(s, now)]:
            del self._sessions[token]

    def _refusal(self, now: float) -> ApiError:
        self.refused_logins += 1
        if now < self._locked_until:
            return unauthenticated()
        recent = [it for it in self._failures if now - it < LOCKOUT_WINDOW_SECONDS]
        self._failures = [*recent, now]
        if len(self._failures) >= LOCKOUT_FAILURES:
            self._locked_until = now + LOCKOUT_SECONDS
            self._failures.clear()
        return unauthenticated()


def parse_basic(authorization: str | None) -> tuple[str, str] | None:
    """Return user and password of a Basic Authorization header, or None if it is none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    username, colon, password = text.partition(":")
    return (username, password) if colon else None
