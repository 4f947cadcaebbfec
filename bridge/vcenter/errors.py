"""Everything that can go wrong between the bridge and a vCenter, as one tree of exceptions.

The text of each is one line that holds no secret. They are raised without a cause or context, so
that no frame below keeps entropy or a session id alive.
"""

from enum import Enum


class SendFate(Enum):
    """What became of the entropy in a request that failed."""

    NOT_SENT = "not sent"  # nothing of it was handed to the transport
    REFUSED = "refused"  # an error status came
    UNKNOWN = "unknown"  # some of it was sent, and no status told what became of it


class VCenterError(Exception):
    """A request that did not do what it should; `fate` is that of the entropy in it."""

    def __init__(
        self,
        text: str,
        *,
        fate: SendFate = SendFate.NOT_SENT,
        status: int | None = None,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(text)
        self.fate = fate
        self.status = status
        self.error_type = error_type
        self.retry_after_seconds = retry_after_seconds


class Unreachable(VCenterError):
    """No connection, or it broke."""


class TimedOut(VCenterError):
    """No complete reply within the request's time."""


class UntrustedCertificate(VCenterError):
    """The server's certificate does not prove that this is the vCenter of the configuration."""


class BadCaFile(VCenterError):
    """The CA file cannot be used."""


class LoginRefused(VCenterError):
    """The user name or the password is wrong, or the account is locked."""


class TooManySessions(VCenterError):
    """vCenter has no session left for this user."""


class Unauthenticated(VCenterError):
    """401: the session is gone; the next request logs in anew."""


class SessionRefused(Unauthenticated):
    """401 in a session that was made anew a moment ago: another login would not help."""


class Unauthorized(VCenterError):
    """403: the user lacks a privilege."""


class NotFound(VCenterError):
    """404: this vCenter has no such object or no such interface."""


class HostNotFound(NotFound):
    """404 that names the host as what is missing."""


class HostUnavailable(VCenterError):
    """503 from vCenter's own services: it cannot reach this host now."""


class Throttled(VCenterError):
    """429: too many requests."""


class TooLarge(VCenterError):
    """413: the body was too large."""


class BadRequest(VCenterError):
    """Any other 4xx."""


class ServerError(VCenterError):
    """5xx; a 503 is one of these when it came from a proxy rather than about a host."""


class ProtocolError(VCenterError):
    """The answer is not what the interface promises: a redirect, no JSON, absurd numbers."""


class FilterError(VCenterError):
    """A host filter of the configuration matches nothing."""
