from itertools import pairwise

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from bridge.config import HostFilter
from bridge.vcenter import HostSummary, VCenter
from bridge.vcenter.errors import FilterError, ProtocolError, ServerError, Unauthorized
from bridge.vcenter.inventory import FIELD_CHARACTERS_MAX, queries
from tests.vcenter.conftest import error, host


@pytest.fixture
def site(fake):
    script = fake.script
    script.datacenters = {"datacenter-1": "Berlin", "datacenter-2": "K\u00f6ln / West"}
    script.clusters = {"domain-c1": "Prod-EAL4", "domain-c2": "Test & Dev", "domain-c3": "Empty"}
    script.folders = {
        "group-h1": ("host", "HOST"),
        "group-v1": ("machines", "VIRTUAL_MACHINE"),
        "group-h2": ("machines", "HOST"),
    }
    for n in range(1, 11):
        script.hosts.append(
            host(
                n,
                _cluster=f"domain-c{1 + n % 2}" if n <= 8 else None,
                _datacenter=f"datacenter-{1 + n % 2}",
                _folder="group-h1" if n < 6 else "group-h2",
            )
        )
    script.hosts[2].update(connection_state="NOT_RESPONDING", power_state=None)
    del script.hosts[3]["power_state"]
    return fake


def numbers(hosts: list[HostSummary]) -> list[int]:
    return [int(h.host.removeprefix("host-")) for h in hosts]


async def test_no_filter_means_all(site, client):
    hosts = await client.hosts()
    assert numbers(hosts) == list(range(1, 11))
    assert hosts[0] == HostSummary("host-1", "esx001.example.com", "CONNECTED", "POWERED_ON")
    assert hosts[0].connected
    assert hosts[2] == HostSummary("host-3", "esx003.example.com", "NOT_RESPONDING", None)
    assert not hosts[2].connected
    assert hosts[3].power_state is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"clusters": ("Prod-EAL4",)}, [2, 4, 6, 8]),
        ({"clusters": ("domain-c2",)}, [1, 3, 5, 7]),
        ({"clusters": ("domain-c1", "Test & Dev", "Empty")}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"datacenters": ("K\u00f6ln / West",)}, [1, 3, 5, 7, 9]),
        ({"folders": ("machines",)}, [6, 7, 8, 9, 10]),
        ({"folders": ("group-h1",)}, [1, 2, 3, 4, 5]),
        ({"names": ("esx002.example.com", "esx009.example.com")}, [2, 9]),
        ({"hosts": ("host-2", "esx009.example.com")}, [2, 9]),
        ({"hosts": ("esx009.example.com",)}, [9]),
        ({"hosts": ("host-2", "host-4"), "names": ("esx004.example.com",)}, None),
        ({"hosts": ("host-4",), "names": ("esx004.example.com",)}, [4]),
        ({"clusters": ("Prod-EAL4",), "folders": ("group-h1",)}, [2, 4]),
    ],
)
async def test_filters_by_name_or_id(site, client, wanted, found):
    if found is None:
        # host-4 and host-2 are wanted, but only one of them has the name
        with pytest.raises(FilterError, match="host-2"):
            await client.hosts(HostFilter(**wanted))
    else:
        assert numbers(await client.hosts(HostFilter(**wanted))) == found


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"clusters": ("Prod-EAL4", "Prod-EAL5")}, 'clusters has "Prod-EAL5".*mean "Prod-EAL4"'),
        ({"clusters": ("domain-c99",)}, 'clusters has "domain-c99"'),
        ({"datacenters": ("Paris",)}, 'datacenters has "Paris"'),
        ({"folders": ("group-v1",)}, 'folders has "group-v1"'),
        ({"hosts": ("host-99",)}, 'hosts has "host-99"'),
        ({"hosts": ("host-1", "esx099")}, 'hosts has "esx099"'),
        ({"hosts": ("ESX003",)}, 'hosts has "ESX003".*did you mean "esx003.example.com"'),
        ({"names": ("esx001.example.com", "esx099")}, 'names has "esx099"'),
        ({"names": ("host-1",)}, 'names has "host-1"'),
        ({"clusters": ("Empty",)}, "no host that meets the filter"),
        (
            {"clusters": ("Prod-EAL4",), "names": ("esx001.example.com",)},
            'names has "esx001.example.com".* meets the rest of the filter$',
        ),
    ],
)
async def test_what_matches_nothing_is_an_error_that_names_it(site, client, wanted, text):
    with pytest.raises(FilterError, match=text) as caught:
        await client.hosts(HostFilter(**wanted))
    assert "\n" not in str(caught.value)


async def test_an_empty_inventory_may_be_a_missing_privilege(fake, client):
    with pytest.raises(FilterError, match=r"sees no host; .* Host\.Entropy\.Read"):
        await client.hosts()


async def test_the_filter_of_the_configuration_is_the_default(site, config, password):
    wanted = HostFilter(clusters=("Prod-EAL4",))
    async with VCenter(config(site.url, hosts=wanted), password) as client:
        assert numbers(await client.hosts()) == [2, 4, 6, 8]


async def test_the_cluster_of_each_host(site, client):
    clusters = await client.clusters()
    assert clusters == {f"host-{n}": "Test & Dev" if n % 2 else "Prod-EAL4" for n in range(1, 9)}


async def test_clusters_of_the_same_name_are_told_apart(site, client):
    site.script.clusters |= {"domain-c1": "Prod", "domain-c2": "Prod"}
    assert set((await client.clusters()).values()) == {"Prod (domain-c1)", "Prod (domain-c2)"}


async def test_only_the_clusters_of_the_filter_are_asked_for(site, config, password):
    wanted = HostFilter(clusters=("Prod-EAL4",))
    async with VCenter(config(site.url, hosts=wanted), password) as client:
        assert set(await client.clusters()) == {"host-2", "host-4", "host-6", "host-8"}
    asked = [r for r in site.script.requests if r.path == "/api/vcenter/host"]
    assert len(asked) == 1


async def test_a_long_filter_goes_in_several_requests(fake, client):
    fake.script.hosts = [host(n) for n in range(1, 1001)]
    names = tuple(h["name"] for h in fake.script.hosts)
    assert len(await client.hosts(HostFilter(names=names))) == 1000
    lists = [r for r in fake.script.requests if r.path == "/api/vcenter/host"]
    assert len(lists) > 5
    assert all(len(r.raw_path) < 2000 for r in lists)


async def test_more_hosts_than_one_reply_may_have(site, client):
    site.script.cap = 4
    assert numbers(await client.hosts()) == list(range(1, 11))
    wanted = HostFilter(clusters=("Prod-EAL4", "Test & Dev"))
    assert numbers(await client.hosts(wanted)) == list(range(1, 9))


async def test_more_in_one_cluster_than_one_reply_may_have(site, client):
    site.script.cap = 3
    site.script.clusters = {"domain-c1": "Prod-EAL4"}
    for item in site.script.hosts:
        item["_cluster"] = "domain-c1"
    with pytest.raises(ServerError) as caught:
        await client.hosts()
    assert caught.value.error_type == "UNABLE_TO_ALLOCATE_RESOURCE"


async def test_an_id_that_vcenter_dislikes_may_still_be_a_name(site, client):
    site.script.hosts[0]["name"] = "esx-1"

    async def dislikes(request):
        if "hosts" in request.query:
            return web.json_response(error("INVALID_ARGUMENT"), status=400)
        return None

    site.script.answer = dislikes
    assert numbers(await client.hosts(HostFilter(hosts=("esx-1",)))) == [1]


async def test_a_forbidden_inventory(site, client):
    async def forbidden(request):
        if request.path == "/api/vcenter/host":
            return web.json_response(error("UNAUTHORIZED"), status=403)
        return None

    site.script.answer = forbidden
    with pytest.raises(Unauthorized):
        await client.hosts()


@pytest.mark.parametrize(
    "reply",
    [
        "{}",
        "null",
        "nonsense",
        '{"value": []}',
        "[5]",
        "[{}]",
        '[{"host": 5, "name": "a", "connection_state": "CONNECTED"}]',
        '[{"host": "host-1", "name": null, "connection_state": "CONNECTED"}]',
        '[{"host": "host-1", "name": "a", "connection_state": "CONNECTED", "power_state": 1}]',
    ],
)
async def test_a_list_that_makes_no_sense(site, client, reply):
    async def odd(request):
        if request.path == "/api/vcenter/host":
            return web.Response(text=reply, content_type="application/json")
        return None

    site.script.answer = odd
    with pytest.raises(ProtocolError, match="makes no sense"):
        await client.hosts()


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["names", "clusters", "folders"]),
        st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=60).map(tuple),
        max_size=2,
    )
)
def test_queries_say_all_of_a_filter_and_stay_short(where):
    said = set()
    for query in queries(where):
        assert len(query) <= max(1, len(where)) * (FIELD_CHARACTERS_MAX + 1)
        pairs = URL(f"http://x/?{query}", encoded=True).query
        said |= {(k, v) for k, v in pairs.items()}
    assert said == {(field, value) for field, values in where.items() for value in values}


def test_queries_of_no_filter():
    assert list(queries({})) == [""]
    assert list(queries({"names": ("a b", "c&d+e%")})) == ["names=a%20b&names=c%26d%2Be%25"]
    assert all(a != b for a, b in pairwise(queries({"names": tuple("ab" * 900)})))
