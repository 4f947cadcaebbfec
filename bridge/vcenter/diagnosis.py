"""Turns what came of a request, a reply or an exception, into the one error that says it."""

import os
import ssl
from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from yarl import URL

from bridge.vcenter.errors import (
    BadRequest,
    HostNotFound,
    HostUnavailable,
    LoginRefused,
    NotFound,
    ProtocolError,
    SendFate,
    ServerError,
    SessionRefused,
    Throttled,
    TimedOut,
    TooLarge,
    TooManySessions,
    Unauthenticated,
    Unauthorized,
    Unreachable,
    UntrustedCertificate,
    VCenterError,
)
from bridge.vcenter.replies import ErrorBody, Reply, error_body, short

X509_HOSTNAME_MISMATCH = 62
X509_IP_MISMATCH = 64
X509_EXPIRED = 10
X509_NOT_YET_VALID = 9
TOO_MANY_SESSIONS = "failedToLoginMaxUserSessionCountReached"
NO_SUCH_ROUTE = "com.vmware.vapi.rest.httpNotFound"


class Call(StrEnum):
    """The kinds of request; their names are the observer's and the metrics'."""

    LOGIN = "login"
    LOGOUT = "logout"
    INVENTORY = "inventory"
    POOL = "pool"
    ADD = "add"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an error is about: the vCenter's name and address, the user, and perhaps a host."""

    name: str
    origin: URL
    username: str

    def says(self, text: str) -> str:
        """Put the vCenter's name before a text."""
        return f"vCenter {self.name}: {text}"


_ABOUT_HOSTS = (Call.POOL, Call.ADD)
_DOING = {
    Call.LOGIN: "log in",
    Call.LOGOUT: "log out",
    Call.INVENTORY: "read the inventory",
    Call.POOL: "read the entropy pool of",
    Call.ADD: "add entropy to",
}


def doing(call: Call, host: str | None) -> str:
    """Say in words what a request was for."""
    return _DOING[call] if host is None else f"{_DOING[call]} {host}"


def from_reply(
    target: Target,
    call: Call,
    reply: Reply,
    *,
    host: str | None = None,
    fate: SendFate = SendFate.NOT_SENT,
    secret: str = "",
    is_new: bool = False,
) -> VCenterError:
    """Name the error that a reply with any status but the expected one is.

    `is_new` says that the session was made a moment ago, in place of one that met 401.
    """
    said = error_body(reply.payload)
    kind, advice = _kind(target, call, reply, said)
    if is_new and kind is Unauthenticated:
        kind, advice = SessionRefused, "a new session is not valid either"
    details = [str(reply.status)]
    if said.error_type is not None:
        details.append(said.error_type)
    if said.text and not (secret and secret in said.text):
        details.append(said.text)
    what = f"cannot {doing(call, host)}: {advice} ({', '.join(details)})"
    return kind(
        target.says(what),
        fate=fate,
        status=reply.status,
        error_type=said.error_type,
        retry_after_seconds=reply.retry_after_seconds,
    )


_Verdict = tuple[type[VCenterError], str]

_BY_STATUS: dict[int, _Verdict] = {
    401: (Unauthenticated, "the session is not valid"),
    413: (TooLarge, "the request is too large; lower max_add_bytes"),
    403: (Unauthorized, "a privilege is missing"),
    429: (Throttled, "too many requests"),
}


def _kind(target: Target, call: Call, reply: Reply, said: ErrorBody) -> _Verdict:
    status = reply.status
    verdict: _Verdict | None = None
    if call is Call.LOGIN:
        verdict = _login_kind(target, status, said)
    elif call in _ABOUT_HOSTS:
        verdict = _host_kind(target, status, said)
    if verdict is None and status == 404:
        verdict = _not_found(said)
    if verdict is None and 300 <= status < 400:
        verdict = ProtocolError, f"redirected to {short(reply.location or 'nowhere')}; correct url"
    return verdict or _BY_STATUS.get(status) or _by_class(status)


def _by_class(status: int) -> _Verdict:
    if status < 300:
        return ProtocolError, "the reply is not one that this request can have"
    if status < 500:
        return BadRequest, "the request was not understood"
    return ServerError, "the server failed"


def _login_kind(target: Target, status: int, said: ErrorBody) -> _Verdict | None:
    if status in (401, 403):
        return LoginRefused, (
            f"{target.username} was refused; check username and password, "
            "and that the account is not locked"
        )
    if status == 503 and any(i.endswith(TOO_MANY_SESSIONS) for i in said.message_ids):
        return TooManySessions, (
            f"{target.username} has too many sessions; end some, or give the bridge its own user"
        )
    return None


def _host_kind(target: Target, status: int, said: ErrorBody) -> _Verdict | None:
    if status == 403:
        return Unauthorized, (
            f"{target.username} needs a role with Host.Entropy.Read and Host.Entropy.Write"
        )
    if not said.from_vcenter or NO_SUCH_ROUTE in said.message_ids:
        return None
    if status == 404:
        return HostNotFound, "the host is not in the inventory"
    if status == 503:
        return HostUnavailable, "the host is not available"
    return None


def _not_found(said: ErrorBody) -> _Verdict:
    if NO_SUCH_ROUTE in said.message_ids or not said.from_vcenter:
        return NotFound, "there is no such interface; vSphere 8.0 Update 1 or newer is needed"
    return NotFound, "there is no such object"


def from_exception(
    target: Target,
    call: Call,
    error: Exception,
    *,
    host: str | None = None,
    fate: SendFate = SendFate.NOT_SENT,
) -> VCenterError:
    """Name the error that an exception of aiohttp, the socket or TLS is."""
    kind, reason = _cause(target, error)
    return kind(target.says(f"cannot {doing(call, host)}: {reason}"), fate=fate)


_BROKEN: tuple[tuple[type[BaseException], type[VCenterError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, Unreachable, "no connection in time; check url and network"),
    (TimeoutError, TimedOut, "no reply in time"),
    (aiohttp.ClientPayloadError, Unreachable, "the connection broke in the middle of the reply"),
    (aiohttp.ClientConnectionError, Unreachable, "the connection broke"),
    (OSError, Unreachable, "the connection broke"),
)


def _cause(target: Target, error: Exception) -> _Verdict:
    certificate = getattr(error, "certificate_error", error)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return UntrustedCertificate, _mistrust(target, certificate)
    below = getattr(error, "os_error", error)
    if isinstance(below, ssl.SSLError):
        return Unreachable, _tls_failure(target, below)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable, _no_connection(target, error)
    for broken, kind, text in _BROKEN:
        if isinstance(error, broken):
            return kind, text
    return ProtocolError, "the reply is not HTTP as it should be"


def _no_connection(target: Target, error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {target.origin.host} is not known; check url and DNS"
    if isinstance(error.os_error, ConnectionResetError) and target.origin.scheme == "https":
        return _closed_in_tls(target)
    reason = _os_text(error.os_error)
    return f"no connection to {_address(target)}: {reason}; check url and network"


def _mistrust(target: Target, error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", None)
    if code in (X509_HOSTNAME_MISMATCH, X509_IP_MISMATCH):
        return (
            f"its certificate is not for {target.origin.host}; put the name that it is for into url"
        )
    if code == X509_EXPIRED:
        return "its certificate has expired; renew it on the vCenter"
    if code == X509_NOT_YET_VALID:
        return "its certificate is not valid yet; do the clocks here and on the vCenter agree?"
    return (
        f"its certificate is not trusted ({getattr(error, 'verify_message', 'unknown')}); "
        f"download {target.origin}/certs/download.zip, unpack it, "
        "and set ca_file to the certificate in certs/lin"
    )


def _tls_failure(target: Target, error: ssl.SSLError) -> str:
    if error.reason == "WRONG_VERSION_NUMBER":
        return f"{_address(target)} does not speak TLS; check url"
    if error.reason and "EOF" not in error.reason:
        return f"TLS with {_address(target)} failed ({error.reason})"
    return _closed_in_tls(target)


def _closed_in_tls(target: Target) -> str:
    return f"{_address(target)} closed the connection during TLS; has it too many connections?"


def _os_text(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own words repeat the address
    return short(error.strerror or str(error) or type(error).__name__)


def _address(target: Target) -> str:
    host = target.origin.host or ""
    return f"[{host}]:{target.origin.port}" if ":" in host else f"{host}:{target.origin.port}"
