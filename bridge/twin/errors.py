"""vCenter's errors: their status, their type and the shape of their body.

The ids that start with com.vmware or vapi were seen on real systems; where no id is known, the
twin uses one of its own (twin.*), so that nobody takes it for the vendor's.
"""

import json
from collections.abc import Mapping
from enum import StrEnum

CHALLENGE = (
    'Basic realm="VAPI endpoint",SIGN realm=00000000000000000000000000000000,'
    'service="VAPI endpoint",sts="https://vcenter.example.test/sts/STSService/vsphere.local"'
)


class ErrorType(StrEnum):
    """The values of error_type that the twin uses."""

    ERROR = "ERROR"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    OPERATION_NOT_FOUND = "OPERATION_NOT_FOUND"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    UNABLE_TO_ALLOCATE_RESOURCE = "UNABLE_TO_ALLOCATE_RESOURCE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNEXPECTED_INPUT = "UNEXPECTED_INPUT"


class ApiError(Exception):
    """An answer that is not a success, the same on every face of the twin."""

    def __init__(
        self,
        status: int,
        error_type: ErrorType,
        message_id: str,
        message: str,
        *,
        args: tuple[str, ...] = (),
        challenge: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {error_type}: {message}")
        self.status = status
        self.error_type = error_type
        self.message_id = message_id
        self.message = message
        self.message_args = args
        self.challenge = challenge
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the JSON body of the REST face."""
        shape: dict[str, object] = {
            "error_type": self.error_type,
            "messages": [
                {
                    "args": list(self.message_args),
                    "default_message": self.message,
                    "id": self.message_id,
                }
            ],
        }
        if self.challenge is not None:
            shape["challenge"] = self.challenge
        return json.dumps(shape).encode()


def unauthenticated() -> ApiError:
    """Return the error for no session, an expired one and wrong credentials alike."""
    return ApiError(
        401,
        ErrorType.UNAUTHENTICATED,
        "com.vmware.vapi.endpoint.method.authentication.required",
        "Authentication required.",
        challenge=CHALLENGE,
    )


def too_many_sessions(user: str, limit: int, existing: int) -> ApiError:
    """Return the error for a user who has as many sessions as allowed."""
    return ApiError(
        503,
        ErrorType.SERVICE_UNAVAILABLE,
        "com.vmware.vapi.endpoint.failedToLoginMaxUserSessionCountReached",
        f"User session count is limited to {limit}. "
        f"Existing session count is {existing} for user {user}.",
        args=(str(limit), str(existing), user),
    )


def unauthorized() -> ApiError:
    """Return the error for a user who lacks a privilege."""
    return ApiError(
        403,
        ErrorType.UNAUTHORIZED,
        "vapi.security.authorization.invalid",
        "Unable to authorize user",
    )


def route_not_found() -> ApiError:
    """Return the error for an unknown path or action, which is not an unknown host."""
    return ApiError(
        404, ErrorType.NOT_FOUND, "com.vmware.vapi.rest.httpNotFound", "Requested path not found."
    )


def operation_not_found(operation: str) -> ApiError:
    """Return the error for an operation that the twin does not have."""
    return ApiError(
        404,
        ErrorType.OPERATION_NOT_FOUND,
        "twin.operation_not_found",
        f"There is no operation {operation}.",
        args=(operation,),
    )


def method_not_allowed(allowed: str) -> ApiError:
    """Return the error for a path that has other methods only."""
    return ApiError(
        405,
        ErrorType.ERROR,
        "twin.method_not_allowed",
        "The path does not take this method.",
        headers={"Allow": allowed},
    )


def host_not_found(host: str) -> ApiError:
    """Return the error for an identifier that no host has."""
    return ApiError(
        404,
        ErrorType.NOT_FOUND,
        "twin.host_not_found",
        f"The host {host} is not in the inventory.",
        args=(host,),
    )


def host_unavailable(host: str) -> ApiError:
    """Return the error for a host that does not answer vCenter."""
    return ApiError(
        503,
        ErrorType.SERVICE_UNAVAILABLE,
        "twin.host_unavailable",
        f"The host {host} is not available.",
        args=(host,),
    )


def service_unavailable(headers: Mapping[str, str] | None = None) -> ApiError:
    """Return the error for a part of vCenter that does not answer."""
    return ApiError(
        503,
        ErrorType.SERVICE_UNAVAILABLE,
        "twin.service_unavailable",
        "The service is not available.",
        headers=headers,
    )


def throttled(headers: Mapping[str, str] | None = None) -> ApiError:
    """Return the error for too many requests."""
    return ApiError(
        429,
        ErrorType.SERVICE_UNAVAILABLE,
        "twin.throttled",
        "Too many requests.",
        headers=headers,
    )


def internal_error(message: str = "The system reports an error.") -> ApiError:
    """Return the error for something that broke behind the API."""
    return ApiError(500, ErrorType.ERROR, "twin.error", message)


def too_large(limit_bytes: int) -> ApiError:
    """Return the error for a body that is longer than the twin takes."""
    return ApiError(
        413,
        ErrorType.ERROR,
        "twin.too_large",
        f"The body is longer than {limit_bytes} bytes.",
        args=(str(limit_bytes),),
    )


def wrong_media_type(found: str) -> ApiError:
    """Return the error for a body that is not announced as JSON."""
    return ApiError(
        415,
        ErrorType.INVALID_ARGUMENT,
        "twin.media_type",
        "The Content-Type must be application/json.",
        args=(found,),
    )


def invalid_argument(message: str, *args: str) -> ApiError:
    """Return the error for a value that the operation does not take."""
    return ApiError(400, ErrorType.INVALID_ARGUMENT, "twin.invalid_argument", message, args=args)


def unexpected_input(message: str, *args: str) -> ApiError:
    """Return the error for a field or parameter that the operation does not know."""
    return ApiError(400, ErrorType.UNEXPECTED_INPUT, "twin.unexpected_input", message, args=args)


def unable_to_allocate(what: str, most: int) -> ApiError:
    """Return the error for more matches than one answer may carry."""
    return ApiError(
        500,
        ErrorType.UNABLE_TO_ALLOCATE_RESOURCE,
        "twin.too_many_matches",
        f"More than {most} {what} match the filter.",
        args=(what, str(most)),
    )
