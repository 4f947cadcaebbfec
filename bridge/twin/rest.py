"""The REST face under /api: sessions, inventory and the external pool, as vCenter has them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from aiohttp import web

from bridge.twin.addspec import read_add_body
from bridge.twin.center import Center
from bridge.twin.errors import (
    ApiError,
    invalid_argument,
    route_not_found,
    unexpected_input,
    wrong_media_type,
)
from bridge.twin.exchange import Act, Call, Dialect, Exchange
from bridge.twin.faults import Operation
from bridge.twin.fleet import Host
from bridge.twin.inventory import FolderType
from bridge.twin.pool import Levels
from bridge.twin.readings import DisabledFields, EmptyAddition, SessionCookie
from bridge.twin.trouble import json_response

SESSION_HEADER = "vmware-api-session-id"
_POOL = "/api/vcenter/host/{host}/entropy/external-pool"


class RestFace:
    """Turns REST requests into operations of the center and back."""

    def __init__(self, center: Center) -> None:
        self._center = center
        readings = center.readings
        empty_is_fine = readings.empty_addition is EmptyAddition.ACCEPTED
        self._dialect = Dialect(
            error_response, lambda body: read_add_body(body, empty_is_fine=empty_is_fine)
        )
        self._cookie_first = readings.session_cookie is SessionCookie.FIRST
        self._disabled = _DISABLED[readings.disabled_fields]

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register every path of this face."""
        self._route(router, "POST", "/api/session", Operation.LOGIN, self._login)
        self._route(router, "GET", "/api/session", Operation.SESSION_GET, self._session)
        self._route(router, "DELETE", "/api/session", Operation.LOGOUT, self._logout)
        self._route(router, "GET", "/api/vcenter/host", Operation.HOST_LIST, self._hosts)
        self._route(router, "GET", "/api/vcenter/cluster", Operation.CLUSTER_LIST, self._clusters)
        self._route(router, "GET", "/api/vcenter/folder", Operation.FOLDER_LIST, self._folders)
        self._route(
            router, "GET", "/api/vcenter/datacenter", Operation.DATACENTER_LIST, self._datacenters
        )
        self._route(router, "GET", _POOL, Operation.POOL_GET, self._pool_get)
        self._route(router, "POST", _POOL, Operation.POOL_ADD, self._pool_add)

    def _route(
        self, router: web.UrlDispatcher, method: str, path: str, operation: Operation, act: Act
    ) -> None:
        center, dialect = self._center, self._dialect

        async def handle(request: web.Request) -> web.StreamResponse:
            host = request.match_info.get("host")
            return await Exchange(center, dialect, request, operation, host, act).run()

        router.add_route(method, path, handle)

    def _token(self, call: Call) -> str | None:
        cookie = call.request.cookies.get(SESSION_HEADER) if self._cookie_first else None
        return cookie or call.request.headers.get(SESSION_HEADER)

    def _authenticate(self, call: Call) -> None:
        self._center.sessions.touch(self._token(call), self._center.clock.now())

    def _login(self, call: Call) -> web.Response:
        authorization = call.request.headers.get("Authorization")
        token = self._center.sessions.login_basic(authorization, self._center.clock.now())
        response = json_response(201, json.dumps(token).encode())
        if self._cookie_first:
            response.set_cookie(SESSION_HEADER, token, path="/api", secure=True, httponly=True)
        return response

    def _session(self, call: Call) -> web.Response:
        clock = self._center.clock
        session = self._center.sessions.touch(self._token(call), clock.now())
        return _reply(
            {
                "user": session.user,
                "created_time": timestamp(clock.wall(session.created_seconds)),
                "last_accessed_time": timestamp(clock.wall(session.last_accessed_seconds)),
            }
        )

    def _logout(self, call: Call) -> web.Response:
        self._center.sessions.logout(self._token(call), self._center.clock.now())
        return web.Response(status=204)

    def _hosts(self, call: Call) -> web.Response:
        self._authenticate(call)
        query = _Query(call.request)
        found = self._center.fleet.list_hosts(
            hosts=query.many("hosts"),
            names=query.many("names"),
            folders=query.many("folders"),
            datacenters=query.many("datacenters"),
            standalone=query.boolean("standalone"),
            clusters=query.many("clusters"),
            connection_states=query.many("connection_states"),
            host_uuids=query.many("host_uuids"),
        )
        query.finish()
        return _reply([host_summary(it) for it in found])

    def _clusters(self, call: Call) -> web.Response:
        self._authenticate(call)
        query = _Query(call.request)
        found = self._center.fleet.inventory.list_clusters(
            clusters=query.many("clusters"),
            names=query.many("names"),
            folders=query.many("folders"),
            datacenters=query.many("datacenters"),
        )
        query.finish()
        return _reply(
            [
                {
                    "cluster": it.cluster,
                    "name": it.name,
                    "ha_enabled": it.ha_enabled,
                    "drs_enabled": it.drs_enabled,
                }
                for it in found
            ]
        )

    def _folders(self, call: Call) -> web.Response:
        self._authenticate(call)
        query = _Query(call.request)
        folder_type = query.one("type")
        if folder_type is not None and folder_type not in FolderType.__members__:
            raise invalid_argument(f"{folder_type} is not a folder type.", folder_type)
        found = self._center.fleet.inventory.list_folders(
            folders=query.many("folders"),
            names=query.many("names"),
            folder_type=None if folder_type is None else FolderType(folder_type),
            parent_folders=query.many("parent_folders"),
            datacenters=query.many("datacenters"),
        )
        query.finish()
        return _reply(
            [{"folder": it.folder, "name": it.name, "type": it.folder_type} for it in found]
        )

    def _datacenters(self, call: Call) -> web.Response:
        self._authenticate(call)
        query = _Query(call.request)
        found = self._center.fleet.inventory.list_datacenters(
            datacenters=query.many("datacenters"),
            names=query.many("names"),
            folders=query.many("folders"),
        )
        query.finish()
        return _reply([{"datacenter": it.datacenter, "name": it.name} for it in found])

    def _pool_get(self, call: Call) -> web.Response:
        self._authenticate(call)
        if call.request.query_string:
            _Query(call.request).finish()
        levels = self._center.pool_get(call.host)
        if levels is None:
            return json_response(200, self._disabled)
        return json_response(200, b'{"status":"ENABLED",' + _levels(levels))

    def _pool_add(self, call: Call) -> web.Response:
        self._authenticate(call)
        if call.request.query_string != "action=add":
            query = _Query(call.request)
            if query.many("action") != ("add",):
                raise route_not_found()
            query.finish()
        if call.request.content_type != "application/json":
            raise wrong_media_type(call.request.content_type)
        if call.malformed is not None:
            raise call.malformed
        added = self._center.pool_add(call.host, len(call.raw))
        call.note(added, self._center.readings.overfill_keeps)
        return json_response(200, b"{" + _levels(added.levels))


class _Query:
    """The query parameters of a request; finish() refuses those that nobody asked for."""

    def __init__(self, request: web.Request) -> None:
        self._values = request.query
        self._known: set[str] = set()

    def many(self, name: str) -> tuple[str, ...]:
        self._known.add(name)
        return tuple(self._values.getall(name, ()))

    def one(self, name: str) -> str | None:
        values = self.many(name)
        if len(values) > 1:
            raise invalid_argument(f"The parameter {name} must be given once.", name)
        return values[0] if values else None

    def boolean(self, name: str) -> bool | None:
        value = self.one(name)
        if value not in (None, "true", "false"):
            raise invalid_argument(f"The parameter {name} must be true or false.", name)
        return None if value is None else value == "true"

    def finish(self) -> None:
        for name in self._values:
            if name not in self._known:
                raise unexpected_input(f"The parameter {name} is not known.", name)


def host_summary(host: Host) -> dict[str, str]:
    """Return a host as the list shows it; the power state is known of a connected one alone."""
    summary = {
        "host": host.host,
        "name": host.name,
        "connection_state": host.connection_state.value,
        "host_uuid": host.host_uuid,
    }
    if host.connection_state == "CONNECTED":
        summary["power_state"] = host.power_state.value
    return summary


def timestamp(seconds: float) -> str:
    """Return a moment since 1970 as vCenter writes it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_response(error: ApiError) -> web.Response:
    """Return an error as the REST face shows it."""
    return json_response(error.status, error.body(), error.headers)


_DISABLED = {
    DisabledFields.ABSENT: b'{"status":"DISABLED"}',
    DisabledFields.NULL: (
        b'{"status":"DISABLED","capacity":null,"currently_available":null,'
        b'"low_watermark":null,"inactive_source_timeout":null}'
    ),
}


def _reply(value: dict[str, str] | Iterable[object]) -> web.Response:
    return json_response(200, json.dumps(value).encode())


def _levels(levels: Levels) -> bytes:
    return (
        f'"capacity":{levels.capacity_bytes},'
        f'"currently_available":{levels.available_bytes},'
        f'"low_watermark":{levels.low_watermark_bytes},'
        f'"inactive_source_timeout":{levels.inactive_source_timeout_seconds}}}'
    ).encode()
