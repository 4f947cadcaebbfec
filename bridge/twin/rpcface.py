"""The JSON-RPC face at POST /api: what Broadcom's SDK speaks, over the same state as REST.

Errors of an operation are results with status 200; only what a proxy or the transport would
refuse (a body that is too long, throttling) has a status of its own. The body is read before
anything else, for the host stands in it: faults of the reading itself do not apply here.
"""

from aiohttp import web

from bridge.twin.addspec import decode_base64
from bridge.twin.center import Center
from bridge.twin.errors import ApiError, operation_not_found, wrong_media_type
from bridge.twin.exchange import Call, Dialect, Exchange, refuse_too_long
from bridge.twin.faults import Operation
from bridge.twin.jsonrpc import RpcCall, RpcError, answer, answer_refusal
from bridge.twin.readings import EmptyAddition
from bridge.twin.rest import error_response
from bridge.twin.rpcoperations import RpcOperations, addition_data


class RpcFace:
    """Turns JSON-RPC calls into operations of the center and back."""

    def __init__(self, center: Center) -> None:
        self._center = center
        self._operations = RpcOperations(center)
        self._empty_is_fine = center.readings.empty_addition is EmptyAddition.ACCEPTED

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the one path of this face."""
        router.add_route("POST", "/api", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await self._read(request)
            rpc = RpcCall.parse(body)
        except ApiError as refused:
            return error_response(refused)
        except RpcError as wrong:
            return answer(wrong.request_id, "error", {"code": wrong.code, "message": str(wrong)})
        try:
            operation, handler = self._operations.known[rpc.service, rpc.operation]
        except KeyError:
            missing = operation_not_found(f"{rpc.service} {rpc.operation}")
            return answer_refusal(rpc, missing)
        try:
            host = _host(rpc, operation)
        except ApiError as refused:
            return answer_refusal(rpc, refused)

        def act(call: Call) -> web.Response:
            return answer(rpc.request_id, "result", {"output": handler(rpc, call)})

        dialect = Dialect(
            lambda it: answer_refusal(rpc, it),
            lambda _body: decode_base64(
                addition_data(rpc).encode("ascii", "replace"), empty_is_fine=self._empty_is_fine
            ),
        )
        return await Exchange(self._center, dialect, request, operation, host, act, body).run()

    async def _read(self, request: web.Request) -> bytes:
        if request.content_type != "application/json":
            raise wrong_media_type(request.content_type)
        chunks: list[bytes] = []
        length = 0
        async for chunk in request.content.iter_any():
            chunks.append(chunk)
            length += len(chunk)
            refuse_too_long(length, self._center.max_body_bytes)
        return b"".join(chunks)


def _host(rpc: RpcCall, operation: Operation) -> str | None:
    if operation not in (Operation.POOL_GET, Operation.POOL_ADD):
        return None
    return rpc.fields().text("host")
