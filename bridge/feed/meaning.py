"""What a request without a good answer says: about the host, about the vCenter, about the bytes."""

from __future__ import annotations

from bridge.feed.concurrency import Outcome
from bridge.vcenter import errors

_ABSENT = {
    errors.Unauthorized: "refused",
    errors.NotFound: "not found",
    errors.HostUnavailable: "unavailable",
    errors.BadRequest: "refused",
}

# one may be chance; several in a row, and there is no vCenter that can be used
_LOSSES = (
    errors.Unreachable,
    errors.UntrustedCertificate,
    errors.TimedOut,
    errors.SessionRefused,
)


def absence(error: errors.VCenterError | None) -> str | None:
    """Say why the host cannot be fed for a while; None when the answer was not about the host."""
    return next((text for kind, text in _ABSENT.items() if isinstance(error, kind)), None)


def load(error: errors.VCenterError | None) -> Outcome:
    """Say what it tells of the vCenter's load; None: the request was cancelled or called off."""
    if error is None:
        return Outcome.NONE
    if isinstance(error, errors.HostUnavailable):
        return Outcome.UNAVAILABLE
    if isinstance(error, errors.Throttled | errors.TooManySessions):
        return Outcome.THROTTLED
    if isinstance(error, _LOSSES):
        return Outcome.LOST
    if error.status == 503:
        return Outcome.THROTTLED  # of the proxy in front, not of a host
    return Outcome.NEUTRAL


def host_may_have_them(error: errors.VCenterError | None) -> bool:
    """Tell whether bytes that were sent may have arrived: then the host is read before it is fed.

    A 4xx was refused before the host saw it; a 5xx or no answer says nothing of the kind.
    """
    if error is None or error.fate is not errors.SendFate.REFUSED:
        return True
    return error.status is None or error.status >= 500


def snake(error: errors.VCenterError | None) -> str:
    """Name it as the metrics do: HostUnavailable is host_unavailable."""
    if error is None:
        return "cancelled"
    name = type(error).__name__
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
