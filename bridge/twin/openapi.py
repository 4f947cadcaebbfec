"""The REST face in its own words: an OpenAPI document, served at GET /twin/openapi.json.

It is written from the contract and says what the twin does under its readings. An answer that only
a fault rule brings about (429, a proxy's page, a redirect) is not in it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from aiohttp import web

from bridge.twin.errors import ErrorType
from bridge.twin.fleet import ConnectionState, PowerState
from bridge.twin.inventory import FolderType
from bridge.twin.readings import DisabledFields, EmptyAddition, Readings
from bridge.twin.rest import SESSION_HEADER
from bridge.twin.trouble import json_response

PATH = "/twin/openapi.json"

Schema = Mapping[str, object]

_BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$"
_STRING: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_NULL: Schema = {"type": "null"}
_COUNT: Schema = {"type": "integer", "format": "int64", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_LEVELS = ("capacity", "currently_available", "low_watermark", "inactive_source_timeout")
_ERRORS = {
    400: "the request cannot be read",
    401: "there is no session, or it has ended, or the credentials are wrong",
    403: "the user lacks a privilege",
    404: "there is no such host",
    413: "the body is too long",
    415: "the body is not called JSON",
    500: "more matches than one answer may carry, or the host's daemon does not work",
    503: "the host does not answer, or the user has too many sessions",
}


def add_openapi_route(router: web.UrlDispatcher, readings: Readings) -> None:
    """Serve the document; it needs no session."""
    body = json.dumps(openapi_document(readings)).encode()

    async def handle(_request: web.Request) -> web.Response:
        return json_response(200, body)

    router.add_route("GET", PATH, handle)


def openapi_document(readings: Readings) -> dict[str, object]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The twin of a vCenter: sessions, inventory, external entropy pools",
            "version": "8.0.1.0",
            "description": __doc__,
        },
        "servers": [{"url": "/"}],
        "security": [{"session": []}],
        "paths": {
            "/api/session": _session(),
            "/api/vcenter/host": _hosts(),
            "/api/vcenter/cluster": _list(
                "Cluster",
                ("clusters", "names", "folders", "datacenters"),
                {
                    "cluster": _STRING,
                    "name": _STRING,
                    "ha_enabled": _BOOLEAN,
                    "drs_enabled": _BOOLEAN,
                },
            ),
            "/api/vcenter/folder": _list(
                "Folder",
                ("folders", "names", "parent_folders", "datacenters"),
                {"folder": _STRING, "name": _STRING, "type": _one_of(FolderType)},
                _parameter("type", _one_of(FolderType)),
            ),
            "/api/vcenter/datacenter": _list(
                "Datacenter",
                ("datacenters", "names", "folders"),
                {"datacenter": _STRING, "name": _STRING},
            ),
            "/api/vcenter/host/{host}/entropy/external-pool": _pool(readings),
        },
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "header", "name": SESSION_HEADER},
                "login": {"type": "http", "scheme": "basic"},
            },
            "schemas": {
                "Error": _error(),
                "Unauthenticated": _error(challenge=_STRING),
            },
        },
    }


def _session() -> Schema:
    shown = _object({"user": _STRING, "created_time": _TIME, "last_accessed_time": _TIME})
    return {
        "post": _operation("Session_create", {201: _STRING}, (401, 503))
        | {"security": [{"login": []}]},
        "get": _operation("Session_get", {200: shown}, (401,)),
        "delete": _operation("Session_delete", {204: None}, (401,)),
    }


def _hosts() -> Schema:
    names = {"host": _STRING, "name": _STRING, "host_uuid": {"type": "string", "format": "uuid"}}
    away = [it for it in ConnectionState if it is not ConnectionState.CONNECTED]
    connected = {"connection_state": _one_of([ConnectionState.CONNECTED])}
    states = {"connection_state": _one_of(away)}
    summary = {
        "oneOf": [
            _object(names | connected | {"power_state": _one_of(PowerState)}),
            _object(names | states),
        ]
    }
    lists = ("hosts", "names", "folders", "datacenters", "clusters", "host_uuids")
    parameters = [
        *(_parameter(name, _array(_STRING)) for name in lists),
        _parameter("connection_states", _array(_one_of(ConnectionState))),
        _parameter("standalone", _BOOLEAN),
    ]
    listing = _operation("Host_list", {200: _array(summary)}, (400, 401, 500))
    return {"get": listing | {"parameters": parameters}}


def _list(
    name: str, lists: Sequence[str], fields: Mapping[str, Schema], *parameters: Schema
) -> Schema:
    listing = _operation(f"{name}_list", {200: _array(_object(fields))}, (400, 401, 500))
    filters = [_parameter(it, _array(_STRING)) for it in lists]
    return {"get": listing | {"parameters": [*filters, *parameters]}}


def _pool(readings: Readings) -> Schema:
    levels = dict.fromkeys(_LEVELS, _COUNT)
    told = _LEVELS if readings.disabled_fields is DisabledFields.NULL else ()
    nothing = dict.fromkeys(told, _NULL)
    info = {
        "oneOf": [
            _object({"status": _one_of(["ENABLED"])} | levels),
            _object({"status": _one_of(["DISABLED"])} | nothing),
        ]
    }
    least = 0 if readings.empty_addition is EmptyAddition.ACCEPTED else 4
    data = {"type": "string", "format": "byte", "pattern": _BASE64, "minLength": least}
    reading = _operation("ExternalPool_get", {200: info}, (400, 401, 403, 404, 500, 503))
    adding = _operation(
        "ExternalPool_add", {200: _object(levels)}, (400, 401, 403, 404, 413, 415, 500, 503)
    )
    body = {"application/json": {"schema": _object({"data": data})}}
    host = {"name": "host", "in": "path", "required": True, "schema": _STRING}
    action = _parameter("action", _one_of(["add"])) | {"required": True}
    return {
        "parameters": [host],
        "get": reading,
        "post": adding
        | {"parameters": [action], "requestBody": {"required": True, "content": body}},
    }


def _operation(
    name: str, good: Mapping[int, Schema | None], errors: Sequence[int]
) -> dict[str, object]:
    responses: dict[str, object] = {
        str(status): {"description": "done"} | ({} if schema is None else _json(schema))
        for status, schema in good.items()
    }
    for status in errors:
        error = "Unauthenticated" if status == 401 else "Error"
        schema = {"$ref": f"#/components/schemas/{error}"}
        responses[str(status)] = {"description": _ERRORS[status]} | _json(schema)
    return {"operationId": name, "responses": responses}


def _error(**more: Schema) -> Schema:
    message = {"id": _STRING, "default_message": _STRING, "args": _array(_STRING)}
    fields = {"error_type": _one_of(ErrorType), "messages": _array(_object(message))}
    return _object(fields | more)


def _object(fields: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(fields),
        "additionalProperties": False,
    }


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _one_of(values: Iterable[str]) -> Schema:
    return {"type": "string", "enum": [str(it) for it in values]}


def _parameter(name: str, schema: Schema) -> dict[str, object]:
    return {"name": name, "in": "query", "schema": schema}


def _json(schema: Schema) -> dict[str, object]:
    return {"content": {"application/json": {"schema": schema}}}
