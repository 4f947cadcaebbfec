"""Broadcom's own SDK, unmodified, against the twin: over JSON-RPC, and over REST."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from com.vmware.cis_client import Session
from com.vmware.vapi.std import errors_client as errors
from com.vmware.vcenter.host.entropy_client import ExternalPool
from com.vmware.vcenter_client import Cluster, Datacenter, Folder, Host
from vmware.vapi.bindings.converter import RestConverter
from vmware.vapi.lib.connect import get_requests_connector
from vmware.vapi.security.client.security_context_filter import LegacySecurityContextFilter
from vmware.vapi.security.user_password import create_user_password_security_context
from vmware.vapi.stdlib.client.factories import StubConfigurationFactory
from vmware.vapi.vsphere.client import VsphereClient, create_vsphere_client

from bridge.twin.recorder import Recording
from tests.support.twin import TwinProcess

# The SDK warns of its own old types as it imports them.
pytestmark = pytest.mark.filterwarnings("ignore:com.vmware:DeprecationWarning")
CAPACITY = 524_288


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sdk") / "record"


@pytest.fixture(scope="module")
def process(record) -> Iterator[TwinProcess]:
    with TwinProcess(
        "--hosts", 6, "--clusters", 2, "--standalone-hosts", 2, "--disabled-hosts", 1,
        "--drain-bytes-per-second", 0, "--record", record,
    ) as twin:  # fmt: skip
        yield twin


@pytest.fixture
def twin(process) -> TwinProcess:
    process.set_faults()
    process.change_host("host-1001", level_bytes=1000)
    return process


@pytest.fixture
def server(twin) -> str:
    return twin.url.removeprefix("https://")


def trusting(twin: TwinProcess) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would override verify
    session.verify = str(twin.ca_file)
    return session


@pytest.fixture
def client(twin, server) -> Iterator[VsphereClient]:
    session = trusting(twin)
    it = create_vsphere_client(server, twin.username, twin.password, session=session)
    yield it
    session.close()


@pytest.fixture
def pool(client) -> ExternalPool:
    return client.vcenter.host.entropy.ExternalPool


def test_logs_in_sees_its_session_and_logs_out(twin, client):
    info = client.session_svc.get()
    assert info.user == twin.username
    assert info.created_time <= info.last_accessed_time
    assert twin.state()["sessions"]["alive"] >= 1
    client.session_svc.delete()
    with pytest.raises(errors.Unauthenticated) as caught:
        client.vcenter.Host.list()
    assert caught.value.error_type == "UNAUTHENTICATED"
    assert caught.value.challenge.startswith("Basic realm=")
    assert caught.value.messages[0].id == (
        "com.vmware.vapi.endpoint.method.authentication.required"
    )


def test_a_wrong_password_is_unauthenticated(twin):
    # Not by create_vsphere_client: its half-built client recurses without end in __del__.
    context = create_user_password_security_context(twin.username, "wrong")
    with trusting(twin) as http:
        connector = get_requests_connector(
            session=http,
            url=f"{twin.url}/api",
            provider_filter_chain=[LegacySecurityContextFilter(security_context=context)],
        )
        session = Session(StubConfigurationFactory.new_std_configuration(connector))
        with pytest.raises(errors.Unauthenticated):
            session.create()


def test_lists_hosts_with_every_filter(client):
    hosts = client.vcenter.Host
    every = hosts.list()
    assert [it.host for it in every] == [f"host-{1001 + i}" for i in range(6)]
    assert every[0].connection_state == Host.ConnectionState.CONNECTED
    assert every[0].power_state == Host.PowerState.POWERED_ON
    by = {
        "hosts": {"host-1002"},
        "names": {"esx-0002.example.test"},
        "clusters": {"domain-c2"},
        "folders": {"group-h1"},
        "datacenters": {"datacenter-1"},
        "connection_states": {Host.ConnectionState.CONNECTED},
        "host_uuids": {every[1].host_uuid},
        "standalone": False,
    }
    found = hosts.list(Host.FilterSpec(**by))
    assert [it.host for it in found] == ["host-1002"]
    for name, value in by.items():
        assert "host-1002" in [it.host for it in hosts.list(Host.FilterSpec(**{name: value}))]
    assert hosts.list(Host.FilterSpec(standalone=True, clusters={"domain-c1"})) == []


def test_lists_clusters_folders_and_datacenters(client):
    clusters = client.vcenter.Cluster.list(Cluster.FilterSpec(names={"cluster-02"}))
    assert [(it.cluster, it.ha_enabled, it.drs_enabled) for it in clusters] == [
        ("domain-c2", True, True)
    ]
    wanted = Folder.FilterSpec(type=Folder.Type.HOST, parent_folders={"group-d1"})
    folders = client.vcenter.Folder.list(wanted)
    assert [(it.folder, it.name, it.type) for it in folders] == [
        ("group-h1", "host", Folder.Type.HOST)
    ]
    datacenters = client.vcenter.Datacenter.list(Datacenter.FilterSpec(names={"DC-01"}))
    assert [it.datacenter for it in datacenters] == ["datacenter-1"]


def test_a_disconnected_host_has_no_power_state_and_the_sdk_agrees(twin, client):
    twin.change_host("host-1004", connection_state="DISCONNECTED")
    (shown,) = client.vcenter.Host.list(Host.FilterSpec(hosts={"host-1004"}))
    assert shown.connection_state == Host.ConnectionState.DISCONNECTED
    assert shown.power_state is None
    with pytest.raises(errors.ServiceUnavailable):
        client.vcenter.host.entropy.ExternalPool.get("host-1004")
    twin.change_host("host-1004", connection_state="CONNECTED")


def test_reads_and_adds_entropy(twin, pool, record):
    before = pool.get("host-1001")
    assert before.status == ExternalPool.Status.ENABLED
    assert (before.capacity, before.currently_available) == (CAPACITY, 1000)
    assert (before.low_watermark, before.inactive_source_timeout) == (104_857, 60)
    raw = bytes(range(256)) * 40
    result = pool.add("host-1001", ExternalPool.AddSpec(data=raw))
    assert result.currently_available == 1000 + len(raw)
    assert result.capacity == CAPACITY
    assert twin.hosts()["host-1001"]["level_bytes"] == 1000 + len(raw)
    entry = Recording(record).additions()[-1]
    assert Recording(record).raw(entry) == raw
    assert (entry.host, entry.status, entry.accepted_bytes) == ("host-1001", 200, len(raw))


def test_overfilling_is_no_error(pool):
    result = pool.add("host-1001", ExternalPool.AddSpec(data=bytes(CAPACITY)))
    assert result.currently_available == CAPACITY


def test_a_disabled_pool_has_a_status_alone(pool):
    info = pool.get("host-1006")
    assert info.status == ExternalPool.Status.DISABLED
    assert info.capacity is info.currently_available is info.low_watermark is None
    with pytest.raises(errors.Error) as caught:
        pool.add("host-1006", ExternalPool.AddSpec(data=b"abc"))
    assert caught.value.error_type == "ERROR"


def test_an_unknown_host_is_not_found(pool):
    with pytest.raises(errors.NotFound):
        pool.get("host-9")
    with pytest.raises(errors.NotFound):
        pool.add("host-9", ExternalPool.AddSpec(data=b"abc"))


def test_empty_data_is_an_invalid_argument(pool):
    with pytest.raises(errors.InvalidArgument):
        pool.add("host-1001", ExternalPool.AddSpec(data=b""))


@pytest.mark.parametrize(
    ("kind", "exception"),
    [
        ("unauthenticated", errors.Unauthenticated),
        ("forbidden", errors.Unauthorized),
        ("not_found", errors.NotFound),
        ("error", errors.Error),
        ("unavailable", errors.ServiceUnavailable),
    ],
)
def test_faults_are_the_sdks_own_exceptions(twin, pool, record, kind, exception):
    twin.set_faults({"kind": kind, "operations": ["pool.add"], "hosts": ["host-1001"]})
    with pytest.raises(exception) as caught:
        pool.add("host-1001", ExternalPool.AddSpec(data=b"spent"))
    assert type(caught.value) is exception
    entry = Recording(record).additions()[-1]
    assert entry.status in {401, 403, 404, 500, 503}
    assert (entry.accepted_bytes, Recording(record).raw(entry)) == (0, b"spent")


def test_throttling_is_refused_by_the_transport(twin, pool):
    twin.set_faults({"kind": "throttled", "operations": ["pool.get"]})
    with pytest.raises(requests.HTTPError) as caught:
        pool.get("host-1001")
    assert caught.value.response.status_code == 429


def test_a_lost_reply_is_a_broken_connection(twin, pool):
    twin.set_faults({"kind": "lose_reply", "operations": ["pool.add"], "count": 1})
    with pytest.raises(requests.ConnectionError):
        pool.add("host-1001", ExternalPool.AddSpec(data=b"abc"))
    assert twin.hosts()["host-1001"]["level_bytes"] == 1003


def test_an_operation_that_the_twin_lacks_is_said_to_be_missing(client):
    with pytest.raises(errors.OperationNotFound):
        client.vcenter.VM.list()


def call_rpc(twin, document, **headers):
    reply = requests.post(
        f"{twin.url}/api",
        verify=str(twin.ca_file),
        timeout=20,
        headers={"Content-Type": "application/json"} | headers,
        data=document if isinstance(document, bytes) else None,
        json=None if isinstance(document, bytes) else document,
    )
    assert reply.status_code == 200
    return reply.json()


@pytest.mark.parametrize(
    ("document", "request_id", "code"),
    [
        (b"{", None, -32700),
        ([], None, -32600),
        ({"jsonrpc": "1.0", "id": 1}, None, -32600),
        ({"jsonrpc": "2.0", "id": {}, "method": "invoke"}, None, -32600),
        ({"jsonrpc": "2.0", "id": 7, "method": "steal"}, 7, -32601),
        ({"jsonrpc": "2.0", "id": "7", "method": "invoke", "params": []}, "7", -32602),
    ],
)
def test_what_is_no_call_is_a_protocol_error(twin, document, request_id, code):
    reply = call_rpc(twin, document)
    assert (reply["id"], reply["error"]["code"]) == (request_id, code)


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {"data": {"BINARY": "QUJD"}},
        {"STRUCTURE": {"other": {"data": {"BINARY": "QUJD"}}}},
        {"STRUCTURE": {"com.vmware.vcenter.host.entropy.external_pool.add_spec": {}}},
        {"STRUCTURE": {"com.vmware.vcenter.host.entropy.external_pool.add_spec": {"data": "QUJD"}}},
        {
            "STRUCTURE": {
                "com.vmware.vcenter.host.entropy.external_pool.add_spec": {
                    "data": {"BINARY": "QUJ"}
                }
            }
        },
    ],
)
def test_a_malformed_addition_is_an_invalid_argument(twin, client, spec):
    reply = call_rpc(
        twin,
        {
            "jsonrpc": "2.0",
            "id": "1",
            "method": "invoke",
            "params": {
                "serviceId": "com.vmware.vcenter.host.entropy.external_pool",
                "operationId": "add",
                "input": {"STRUCTURE": {"operation-input": {"host": "host-1001", "spec": spec}}},
                "ctx": {"securityCtx": {"sessionId": client.session_id}},
            },
        },
    )
    assert list(reply["result"]["error"]["ERROR"]) == [
        "com.vmware.vapi.std.errors.invalid_argument"
    ]
    assert twin.hosts()["host-1001"]["level_bytes"] == 1000


def over_rest(service: type, session: requests.Session, url: str):
    """Return a stub of the SDK that speaks true REST: its legacy wrapping is switched off."""
    connector = get_requests_connector(session=session, msg_protocol="rest", url=f"{url}/api")
    stub = service(StubConfigurationFactory.new_std_configuration(connector))
    inner = stub._api_interface
    inner._is_vapi_rest = False
    inner._rest_converter_mode = RestConverter.SWAGGER_REST
    inner._api_provider.get_api_provider().set_rest_format(False)
    return stub


def test_the_sdk_over_rest_lists_reads_and_adds(twin):
    with trusting(twin) as http:
        http.auth = (twin.username, twin.password)
        session = over_rest(Session, http, twin.url)
        http.headers["vmware-api-session-id"] = session.create()
        http.auth = None
        assert session.get().user == twin.username
        hosts = over_rest(Host, http, twin.url).list()
        assert [it.host for it in hosts] == [f"host-{1001 + i}" for i in range(6)]
        pool = over_rest(ExternalPool, http, twin.url)
        assert pool.get("host-1001").currently_available == 1000
        assert pool.get("host-1006").status == ExternalPool.Status.DISABLED
        spec = ExternalPool.AddSpec(data=b"\x00\xff\xfe\x01")
        assert pool.add("host-1001", spec).currently_available == 1004
        with pytest.raises(errors.Error) as caught:
            pool.get("host-9")
        assert caught.value.error_type == "NOT_FOUND"
        session.delete()
        with pytest.raises(errors.Error) as caught:
            pool.get("host-1001")
        assert caught.value.error_type == "UNAUTHENTICATED"
