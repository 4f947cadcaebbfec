"""The listings and every filter of them, over TLS."""

import pytest

from bridge.twin.fleet import ConnectionState, Place, PowerState
from bridge.twin.inventory import Cluster, Folder, FolderType


def ids(reply, key="host"):
    assert reply.status == 200, reply
    return [it[key] for it in reply.json]


@pytest.fixture
async def twin(start_twin):
    """Six hosts in three clusters of two datacenters, two standalone ones besides."""
    return await start_twin(hosts=8, clusters=3, datacenters=2, standalone_hosts=2)


async def test_a_summary_has_what_the_api_says(twin):
    reply = await twin.ask("GET", "/api/vcenter/host")
    assert ids(reply) == [f"host-{1001 + i}" for i in range(8)]
    first = reply.json[0]
    assert first.pop("host_uuid")
    assert first == {
        "host": "host-1001",
        "name": "esx-0001.example.test",
        "connection_state": "CONNECTED",
        "power_state": "POWERED_ON",
    }


async def test_the_power_state_is_there_for_connected_hosts_alone(twin):
    hosts = twin.center.fleet.hosts
    hosts["host-1001"].connection_state = ConnectionState.NOT_RESPONDING
    hosts["host-1002"].set_power(PowerState.STANDBY, 0.0)
    shown = {it["host"]: it for it in (await twin.ask("GET", "/api/vcenter/host")).json}
    assert "power_state" not in shown["host-1001"]
    assert shown["host-1002"]["power_state"] == "STANDBY"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("hosts=host-1002&hosts=host-1007&hosts=host-9", [2, 7]),
        ("names=esx-0003.example.test", [3]),
        ("names=ESX-0003.example.test", []),
        ("clusters=domain-c1", [1, 4]),
        ("clusters=domain-c1&clusters=domain-c3", [1, 3, 4, 6]),
        ("clusters=cluster-01", []),
        ("datacenters=datacenter-2", [2, 5, 8]),
        ("datacenters=datacenter-1&clusters=domain-c2", []),
        ("folders=group-h1", [1, 3, 4, 6, 7]),
        ("folders=group-d1", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("folders=group-v1", []),
        ("standalone=true", [7, 8]),
        ("standalone=false", [1, 2, 3, 4, 5, 6]),
        ("standalone=true&clusters=domain-c1", []),
        ("connection_states=CONNECTED&clusters=domain-c1", [1]),
        ("connection_states=DISCONNECTED&connection_states=NOT_RESPONDING", [4]),
    ],
)
async def test_host_filters_add_up(twin, query, expected):
    twin.center.fleet.hosts["host-1004"].connection_state = ConnectionState.DISCONNECTED
    reply = await twin.ask("GET", f"/api/vcenter/host?{query}")
    assert ids(reply) == [f"host-{1000 + it}" for it in expected]


async def test_hosts_are_found_by_uuid(twin):
    uuid = twin.center.fleet.hosts["host-1005"].host_uuid
    assert ids(await twin.ask("GET", f"/api/vcenter/host?host_uuids={uuid}")) == ["host-1005"]


@pytest.mark.parametrize(
    ("query", "error_type"),
    [
        ("connection_states=ASLEEP", "INVALID_ARGUMENT"),
        ("standalone=yes", "INVALID_ARGUMENT"),
        ("standalone=true&standalone=false", "INVALID_ARGUMENT"),
        ("filter.names=x", "UNEXPECTED_INPUT"),
        ("page=2", "UNEXPECTED_INPUT"),
    ],
)
async def test_bad_filters_are_refused(twin, query, error_type):
    reply = await twin.ask("GET", f"/api/vcenter/host?{query}")
    assert reply.status == 400
    assert reply.json["error_type"] == error_type


async def test_more_than_2500_hosts_are_not_listed_at_once(start_twin):
    twin = await start_twin(hosts=2501, clusters=2)
    reply = await twin.ask("GET", "/api/vcenter/host")
    assert reply.status == 500
    assert reply.json["error_type"] == "UNABLE_TO_ALLOCATE_RESOURCE"
    half = await twin.ask("GET", "/api/vcenter/host?clusters=domain-c1")
    assert len(ids(half)) == 1251
    await twin.admin("DELETE", "hosts/host-1001")
    assert len(ids(await twin.ask("GET", "/api/vcenter/host"))) == 2500


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("cluster", "cluster", ["domain-c1", "domain-c2", "domain-c3"]),
        ("cluster?names=cluster-02", "cluster", ["domain-c2"]),
        ("cluster?clusters=domain-c3&names=cluster-02", "cluster", []),
        ("cluster?datacenters=datacenter-1", "cluster", ["domain-c1", "domain-c3"]),
        ("cluster?folders=group-h2", "cluster", ["domain-c2"]),
        ("datacenter", "datacenter", ["datacenter-1", "datacenter-2"]),
        ("datacenter?names=DC-02", "datacenter", ["datacenter-2"]),
        ("datacenter?folders=group-d1&datacenters=datacenter-1", "datacenter", ["datacenter-1"]),
        ("folder?names=host", "folder", ["group-h1", "group-h2"]),
        ("folder?type=HOST&datacenters=datacenter-2", "folder", ["group-h2"]),
        ("folder?parent_folders=group-d1&type=NETWORK", "folder", ["group-n1", "group-n2"]),
        ("folder?type=DATACENTER", "folder", ["group-d1"]),
        ("folder?folders=group-v1", "folder", ["group-v1"]),
    ],
)
async def test_other_listings_and_their_filters(twin, path, key, expected):
    assert ids(await twin.ask("GET", f"/api/vcenter/{path}"), key) == expected


async def test_the_shapes_of_other_listings(twin):
    clusters = await twin.ask("GET", "/api/vcenter/cluster?names=cluster-01")
    assert clusters.json == [
        {"cluster": "domain-c1", "name": "cluster-01", "ha_enabled": True, "drs_enabled": True}
    ]
    folders = await twin.ask("GET", "/api/vcenter/folder?folders=group-h1")
    assert folders.json == [{"folder": "group-h1", "name": "host", "type": "HOST"}]
    datacenters = await twin.ask("GET", "/api/vcenter/datacenter?names=DC-01")
    assert datacenters.json == [{"datacenter": "datacenter-1", "name": "DC-01"}]


async def test_names_need_not_be_unique_and_folders_nest(twin):
    inventory = twin.center.fleet.inventory
    inventory.add_folder(Folder("group-h9", "rack", FolderType.HOST, "group-h2", "datacenter-2"))
    inventory.add_cluster(Cluster("domain-c9", "cluster-01", "group-h9", "datacenter-2"))
    twin.center.fleet.add_host(99, Place("group-h9", "datacenter-2", "domain-c9"))
    same = await twin.ask("GET", "/api/vcenter/cluster?names=cluster-01")
    assert ids(same, "cluster") == ["domain-c1", "domain-c9"]
    outer = await twin.ask("GET", "/api/vcenter/host?folders=group-h2")
    assert ids(outer) == ["host-1002", "host-1005", "host-1008", "host-1099"]
    inner = await twin.ask("GET", "/api/vcenter/host?folders=group-h9")
    assert ids(inner) == ["host-1099"]


async def test_more_than_1000_clusters_are_not_listed_at_once(start_twin):
    twin = await start_twin(hosts=1, clusters=1001)
    for path, status in (("cluster", 500), ("cluster?names=cluster-1001", 200)):
        reply = await twin.ask("GET", f"/api/vcenter/{path}")
        assert reply.status == status
    wrong = await twin.ask("GET", "/api/vcenter/folder?type=ATTIC")
    assert (wrong.status, wrong.json["error_type"]) == (400, "INVALID_ARGUMENT")


async def test_the_same_options_give_the_same_fleet(start_twin):
    shown = []
    for _ in range(2):
        twin = await start_twin(hosts=5, spread=0.5, seed=3)
        state = (await twin.admin("GET", "hosts")).json["hosts"]
        uuids = [it["host_uuid"] for it in (await twin.ask("GET", "/api/vcenter/host")).json]
        shown.append((state, uuids))
    assert shown[0] == shown[1]
    assert len({it["level_bytes"] for it in shown[0][0]}) > 1
    assert len(set(shown[0][1])) == 5


async def test_the_admin_adds_moves_and_removes_hosts_as_vcenter_does(twin):
    async def members(cluster):
        return ids(await twin.ask("GET", f"/api/vcenter/host?clusters={cluster}"))

    change = {"cluster": "cluster-02", "level_bytes": 0, "drain_bytes_per_second": 10}
    added = (await twin.admin("POST", "hosts", change)).json
    assert (added["host"], added["cluster"], added["level_bytes"]) == ("host-1009", "domain-c2", 0)
    assert await members("domain-c2") == ["host-1002", "host-1005", "host-1009"]
    assert (await twin.pool("host-1009")).json["currently_available"] == 0
    moved = (await twin.admin("POST", "hosts/host-1009", {"cluster": "domain-c1"})).json
    assert moved["level_bytes"] == 0
    assert await members("domain-c1") == ["host-1001", "host-1004", "host-1009"]
    assert "host-1009" in ids(await twin.ask("GET", "/api/vcenter/host?datacenters=datacenter-1"))
    assert (await twin.admin("DELETE", "hosts/host-1009")).status == 204
    assert await members("domain-c1") == ["host-1001", "host-1004"]
    assert (await twin.pool("host-1009")).status == 404
    again = (await twin.admin("POST", "hosts", change)).json
    assert again["host"] == "host-1010"  # it is another host, though it may be the same machine


@pytest.mark.parametrize("change", [{}, {"cluster": "cluster-99"}, {"cluster": 1}])
async def test_a_host_is_added_to_a_cluster_that_there_is(twin, change):
    assert (await twin.admin("POST", "hosts", change)).status == 400
    assert len(twin.center.fleet.hosts) == 8
