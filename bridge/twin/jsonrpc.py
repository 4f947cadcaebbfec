"""One call of vAPI's JSON-RPC 2.0: read from a body, answered in a body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bridge.twin.errors import ApiError
from bridge.twin.rest import error_response
from bridge.twin.trouble import json_response
from bridge.twin.vapi import Fields, error

_TRANSPORT_STATUSES = frozenset({405, 413, 415, 429})
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


class RpcError(Exception):
    """A request that is no proper JSON-RPC 2.0 call of vAPI."""

    def __init__(self, code: int, message: str, request_id: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


@dataclass(frozen=True)
class RpcCall:
    """One call: who is asked for what, by whom."""

    request_id: str | int | None
    service: str
    operation: str
    input_value: object
    security: Mapping[str, object]

    @classmethod
    def parse(cls, body: bytes) -> "RpcCall":
        """Return the call in a body, or raise RpcError."""
        try:
            document = json.loads(body.decode())
        except (UnicodeDecodeError, ValueError, RecursionError):
            raise RpcError(PARSE_ERROR, "Parse error.") from None
        if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
            raise RpcError(INVALID_REQUEST, "Invalid Request.")
        request_id = document.get("id")
        if isinstance(request_id, bool) or not isinstance(request_id, str | int | None):
            raise RpcError(INVALID_REQUEST, "Invalid Request.")
        if document.get("method") != "invoke":
            raise RpcError(METHOD_NOT_FOUND, "Method not found.", request_id)
        params = document.get("params")
        service = params.get("serviceId") if isinstance(params, dict) else None
        operation = params.get("operationId") if isinstance(params, dict) else None
        if not (
            isinstance(params, dict) and isinstance(service, str) and isinstance(operation, str)
        ):
            raise RpcError(INVALID_PARAMS, "Invalid params.", request_id)
        context = params.get("ctx")
        security = context.get("securityCtx") if isinstance(context, dict) else None
        return cls(
            request_id,
            service,
            operation,
            params.get("input"),
            security if isinstance(security, dict) else {},
        )

    def fields(self) -> Fields:
        """Return the arguments of the operation."""
        return Fields(self.input_value, "operation-input")

    def security_text(self, name: str) -> str | None:
        """Return a string of the security context."""
        value = self.security.get(name)
        return value if isinstance(value, str) else None


def answer(request_id: object, kind: str, value: object) -> web.Response:
    """Return a reply with that result or error."""
    document = {"jsonrpc": "2.0", "id": request_id, kind: value}
    return json_response(200, json.dumps(document).encode())


def answer_refusal(rpc: RpcCall, it: ApiError) -> web.Response:
    """Return an operation's error: a result like any other, unless a proxy would have refused."""
    if it.status in _TRANSPORT_STATUSES:
        return error_response(it)
    return answer(rpc.request_id, "result", {"error": error(it)})
