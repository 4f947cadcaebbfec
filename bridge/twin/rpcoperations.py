"""The operations of the JSON-RPC face: their arguments and results as vAPI structures."""

from collections.abc import Callable

from bridge.twin.center import Center
from bridge.twin.errors import invalid_argument, unauthenticated
from bridge.twin.exchange import Call
from bridge.twin.faults import Operation
from bridge.twin.fleet import ConnectionState, Host
from bridge.twin.inventory import FolderType
from bridge.twin.jsonrpc import RpcCall
from bridge.twin.pool import Levels
from bridge.twin.rest import SESSION_HEADER, timestamp
from bridge.twin.vapi import Fields, optional, secret, structure

_POOL = "com.vmware.vcenter.host.entropy.external_pool"
Handler = Callable[[RpcCall, Call], object]


class RpcOperations:
    """Every operation by its service and name; a handler returns the output."""

    def __init__(self, center: Center) -> None:
        self._center = center
        self.known: dict[tuple[str, str], tuple[Operation, Handler]] = {
            ("com.vmware.cis.session", "create"): (Operation.LOGIN, self._login),
            ("com.vmware.cis.session", "get"): (Operation.SESSION_GET, self._session),
            ("com.vmware.cis.session", "delete"): (Operation.LOGOUT, self._logout),
            ("com.vmware.vcenter.host", "list"): (Operation.HOST_LIST, self._hosts),
            ("com.vmware.vcenter.cluster", "list"): (Operation.CLUSTER_LIST, self._clusters),
            ("com.vmware.vcenter.folder", "list"): (Operation.FOLDER_LIST, self._folders),
            ("com.vmware.vcenter.datacenter", "list"): (
                Operation.DATACENTER_LIST,
                self._datacenters,
            ),
            (_POOL, "get"): (Operation.POOL_GET, self._pool_get),
            (_POOL, "add"): (Operation.POOL_ADD, self._pool_add),
        }

    def _token(self, rpc: RpcCall, call: Call) -> str | None:
        return rpc.security_text("sessionId") or call.request.headers.get(SESSION_HEADER)

    def _authenticate(self, rpc: RpcCall, call: Call) -> None:
        self._center.sessions.touch(self._token(rpc, call), self._center.clock.now())

    def _login(self, rpc: RpcCall, call: Call) -> object:
        sessions, now = self._center.sessions, self._center.clock.now()
        username, password = rpc.security_text("userName"), rpc.security_text("password")
        if username is None or password is None:
            if "Authorization" not in call.request.headers:
                raise unauthenticated()
            return secret(sessions.login_basic(call.request.headers["Authorization"], now))
        return secret(sessions.login(username, password, now))

    def _session(self, rpc: RpcCall, call: Call) -> object:
        clock = self._center.clock
        session = self._center.sessions.touch(self._token(rpc, call), clock.now())
        return structure(
            "com.vmware.cis.session.info",
            {
                "user": session.user,
                "created_time": timestamp(clock.wall(session.created_seconds)),
                "last_accessed_time": timestamp(clock.wall(session.last_accessed_seconds)),
            },
        )

    def _logout(self, rpc: RpcCall, call: Call) -> object:
        self._center.sessions.logout(self._token(rpc, call), self._center.clock.now())
        return None

    def _hosts(self, rpc: RpcCall, call: Call) -> object:
        self._authenticate(rpc, call)
        fields = _filter(rpc, "com.vmware.vcenter.host.filter_spec")
        found = self._center.fleet.list_hosts(
            hosts=fields.optional_texts("hosts"),
            names=fields.optional_texts("names"),
            folders=fields.optional_texts("folders"),
            datacenters=fields.optional_texts("datacenters"),
            standalone=fields.optional_boolean("standalone"),
            clusters=fields.optional_texts("clusters"),
            connection_states=fields.optional_texts("connection_states"),
            host_uuids=fields.optional_texts("host_uuids"),
        )
        fields.finish()
        return [_host_summary(it) for it in found]

    def _clusters(self, rpc: RpcCall, call: Call) -> object:
        self._authenticate(rpc, call)
        fields = _filter(rpc, "com.vmware.vcenter.cluster.filter_spec")
        found = self._center.fleet.inventory.list_clusters(
            clusters=fields.optional_texts("clusters"),
            names=fields.optional_texts("names"),
            folders=fields.optional_texts("folders"),
            datacenters=fields.optional_texts("datacenters"),
        )
        fields.finish()
        return [
            structure(
                "com.vmware.vcenter.cluster.summary",
                {
                    "cluster": it.cluster,
                    "name": it.name,
                    "ha_enabled": it.ha_enabled,
                    "drs_enabled": it.drs_enabled,
                },
            )
            for it in found
        ]

    def _folders(self, rpc: RpcCall, call: Call) -> object:
        self._authenticate(rpc, call)
        fields = _filter(rpc, "com.vmware.vcenter.folder.filter_spec")
        folder_type = fields.optional_text("type")
        if folder_type is not None and folder_type not in FolderType.__members__:
            raise invalid_argument(f"{folder_type} is not a folder type.", folder_type)
        found = self._center.fleet.inventory.list_folders(
            folders=fields.optional_texts("folders"),
            names=fields.optional_texts("names"),
            folder_type=None if folder_type is None else FolderType(folder_type),
            parent_folders=fields.optional_texts("parent_folders"),
            datacenters=fields.optional_texts("datacenters"),
        )
        fields.finish()
        return [
            structure(
                "com.vmware.vcenter.folder.summary",
                {"folder": it.folder, "name": it.name, "type": it.folder_type},
            )
            for it in found
        ]

    def _datacenters(self, rpc: RpcCall, call: Call) -> object:
        self._authenticate(rpc, call)
        fields = _filter(rpc, "com.vmware.vcenter.datacenter.filter_spec")
        found = self._center.fleet.inventory.list_datacenters(
            datacenters=fields.optional_texts("datacenters"),
            names=fields.optional_texts("names"),
            folders=fields.optional_texts("folders"),
        )
        fields.finish()
        return [
            structure(
                "com.vmware.vcenter.datacenter.summary",
                {"datacenter": it.datacenter, "name": it.name},
            )
            for it in found
        ]

    def _pool_get(self, rpc: RpcCall, call: Call) -> object:
        self._authenticate(rpc, call)
        levels = self._center.pool_get(call.host)
        if levels is None:
            return structure(f"{_POOL}.info", {"status": "DISABLED"})
        shown = {name: optional(value) for name, value in _levels(levels).items()}
        return structure(f"{_POOL}.info", {"status": "ENABLED", **shown})

    def _pool_add(self, rpc: RpcCall, call: Call) -> object:
        self._authenticate(rpc, call)
        if call.malformed is not None:
            raise call.malformed
        added = self._center.pool_add(call.host, len(call.raw))
        call.note(added, self._center.readings.overfill_keeps)
        return structure(f"{_POOL}.add_result", _levels(added.levels))


def addition_data(rpc: RpcCall) -> str:
    """Return the Base64 text of an addition."""
    fields = rpc.fields()
    fields.text("host")
    spec = Fields(fields.take("spec"), f"{_POOL}.add_spec")
    data = spec.binary("data")
    spec.finish()
    fields.finish()
    return data


def _filter(rpc: RpcCall, name: str) -> Fields:
    fields = rpc.fields()
    value = fields.optional("filter")
    fields.finish()
    return Fields(structure(name, {}) if value is None else value, name)


def _host_summary(host: Host) -> object:
    connected = host.connection_state is ConnectionState.CONNECTED
    return structure(
        "com.vmware.vcenter.host.summary",
        {
            "host": host.host,
            "name": host.name,
            "connection_state": host.connection_state,
            "power_state": optional(host.power_state if connected else None),
            "host_uuid": optional(host.host_uuid),
        },
    )


def _levels(levels: Levels) -> dict[str, int]:
    return {
        "capacity": levels.capacity_bytes,
        "currently_available": levels.available_bytes,
        "low_watermark": levels.low_watermark_bytes,
        "inactive_source_timeout": levels.inactive_source_timeout_seconds,
    }
