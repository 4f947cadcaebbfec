import json
import re
from dataclasses import replace
from html import unescape

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from bridge.config import StatusConfig
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.snapshot import HostRow
from bridge.telemetry.status import StatusError, StatusServer, status_app


class Shown:
    """What the application shows; a test changes it between requests."""

    def __init__(self, snapshot):
        self.snapshot = snapshot
        self.live = True


@pytest.fixture
def shown(snapshot):
    return Shown(snapshot)


@pytest.fixture
async def client(shown):
    app = status_app(
        StatusConfig(names=("bridge.example.com",)),
        lambda: shown.snapshot,
        Metrics(),
        lambda: shown.live,
    )
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_the_page_needs_nothing_else_and_escapes_names(client):
    answer = await client.get("/")
    text = await answer.text()
    assert answer.content_type == "text/html"
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", text)
    assert " style=" not in text
    assert "not an HSM" in text


async def test_tables_have_names_and_are_scrolled_by_keyboard(client):
    text = await (await client.get("/")).text()
    tables = re.findall(r"<div ([^>]*)><table>", text)
    assert len(tables) == text.count("<table") > 2
    for attributes in tables:
        assert 'tabindex="0" role="region"' in attributes
        name = re.search(r'aria-label="([^"]+)"', attributes)[1]
        assert f">{name}</h2>" in text
    assert text.count('<th scope="col"') == text.count("<th ")


async def test_the_policy_allows_only_the_pages_own_script(client):
    pages = [await client.get("/") for _ in range(2)]
    nonces = []
    for answer in pages:
        policy = answer.headers["Content-Security-Policy"]
        nonces += re.findall(r"script-src 'nonce-([\w-]+)'", policy)
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        text = await answer.text()
        assert set(re.findall(r'nonce="([^"]+)"', text)) == {nonces[-1]}
        assert len(re.findall("<script", text)) == 1
    assert nonces[0] != nonces[1]


async def test_the_live_part_is_what_the_page_has(client):
    part = await (await client.get("/?part=live&q=esx1")).text()
    assert part.startswith('<main id="live" data-title="1 low · ready · entropy-bridge">')
    assert part in await (await client.get("/?q=esx1")).text()
    assert "<script" not in part
    assert "<style" not in part


async def test_hosts_are_sorted_by_time_to_dry(client):
    text = await (await client.get("/")).text()
    assert re.findall(r"<td>(esx\d)</td>", text) == ["esx2", "esx1", "esx4", "esx5"]
    hosts = (await (await client.get("/status.json")).json())["hosts"]
    assert [h["host"] for h in hosts] == ["host-2", "host-1", "host-4", "host-5", "host-3"]


async def test_status_json_is_strict_json(client, snapshot):
    answer = await client.get("/status.json")
    assert answer.content_type == "application/json"
    refuse = lambda name: pytest.fail(f"{name} is not JSON")  # noqa: E731
    status = json.loads(await answer.text(), parse_constant=refuse)
    assert status["n_hosts"] == 5
    assert status["n_hosts_low"] == 1
    assert status["ready"] is True
    assert status["sources"][0]["account"]["closes"] is True
    assert status["sources"][0]["test_failures"] == {"poison": 1, "repetition": 0}
    assert {"operation": "add", "outcome": "200", "count": 7} in status["vcenters"][0]["requests"]
    assert status["hosts"][2]["seconds_to_dry"] is None
    assert status["hosts"][4]["name"] == snapshot.hosts[2].name


async def test_a_large_fleet_is_cut_and_searched(client, shown):
    rows = tuple(
        HostRow(
            "a", f"host-{i}", f"esx{i:04}", "fed", i, 524_288, 104_857, 1.0, float(i), False, 1.0
        )
        for i in range(2500)
    )
    shown.snapshot = replace(shown.snapshot, hosts=rows)
    assert len(re.findall(r"<meter", await (await client.get("/")).text())) == 100
    assert len(re.findall(r"<meter", await (await client.get("/?all=1")).text())) == 2500
    text = await (await client.get("/", params={"q": "ESX24"})).text()
    assert "100 of 100 shown" in text
    status = await (await client.get("/status.json?hosts=3")).json()
    assert [h["name"] for h in status["hosts"]] == ["esx0000", "esx0001", "esx0002"]
    assert status["n_hosts_found"] == 2500


async def test_a_fleet_of_several_clusters_is_shown_by_cluster(client, shown):
    names = ("Prod", "Test & <b>", "")
    hosts = tuple(replace(row, cluster=names[n % 3]) for n, row in enumerate(shown.snapshot.hosts))
    text = await (await client.get("/")).text()
    assert "Clusters" not in text
    shown.snapshot = replace(shown.snapshot, hosts=hosts)
    text = await (await client.get("/")).text()
    part = text[text.index("<h2>Clusters") : text.index('<h2 id="hosts">')]
    rows = [re.sub("<[^>]*>", " ", row).split() for row in part.split("<tr>")[2:]]
    # esx2 and esx5 are in the second, esx1 and esx4 in the first, in the last is the disabled one
    assert [row[:4] for row in rows] == [
        ["Test", "&amp;", "&lt;b&gt;", "2"],
        ["Prod", "2", "76", "%"],
        ["(no", "cluster)", "1", "1"],
    ]
    link, place = re.search(r'href="([^"]*Test[^"]*)#(\w+)"', part).groups()
    assert f'id="{place}"' in text
    assert "esx5" in await (await client.get(f"/{unescape(link)}")).text()
    assert "esx4" not in await (await client.get(f"/{unescape(link)}")).text()
    status = await (await client.get("/status.json")).json()
    assert [(c["name"], c["n_hosts"], c["first_host"]) for c in status["clusters"]] == [
        ("Test & <b>", 2, "host-2"),
        ("Prod", 2, "host-1"),
        ("", 1, "host-3"),
    ]
    assert status["clusters"][0]["seconds_to_dry"] == pytest.approx(48.8)


async def test_what_is_searched_for_is_escaped(client):
    text = await (await client.get("/", params={"q": '"><script>x'})).text()
    assert '"><script>x' not in text


async def test_a_wrong_limit_is_a_bad_request(client):
    assert (await client.get("/status.json?hosts=-1")).status == 400


async def test_metrics_have_prometheus_content_type(client):
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {f.name for f in text_string_to_metric_families(await answer.text())}
    assert "entropy_bridge_host_seconds_to_empty" in names


async def test_readiness_and_liveness(client, shown):
    assert (await client.get("/readyz")).status == 200
    assert (await client.get("/livez")).status == 200
    shown.snapshot = replace(shown.snapshot, not_ready=("no source passed its tests",))
    shown.live = False
    answer = await client.get("/readyz")
    assert (answer.status, await answer.text()) == (503, "no source passed its tests\n")
    assert (await client.get("/livez")).status == 503
    assert "no source passed its tests" in await (await client.get("/")).text()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", 200),
        ("localhost", 200),
        ("[::1]:9464", 200),
        ("192.0.2.7", 200),
        ("Bridge.Example.com.:80", 200),
        ("evil.example.net", 421),
        ("127.0.0.1.evil.example.net:9464", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", "/status.json", "/metrics", "/livez", "/nothing"])
async def test_unknown_names_get_nothing(client, host, status, path):
    answer = await client.get(path, headers={"Host": host})
    assert answer.status == (404 if path == "/nothing" and status == 200 else status)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] == "entropy-bridge"


async def test_nothing_can_be_changed(client):
    assert (await client.post("/")).status == 405


async def test_the_server_listens_and_says_when_it_cannot(snapshot):
    server = StatusServer(
        StatusConfig(listen="127.0.0.1:0"),
        status_app(StatusConfig(), lambda: snapshot, Metrics()),
    )
    await server.start()
    try:
        async with ClientSession() as session, session.get(server.url + "readyz") as answer:
            assert answer.status == 200
        taken = StatusConfig(listen=f"127.0.0.1:{server.port}")
        second = StatusServer(taken, status_app(taken, lambda: snapshot, Metrics()))
        with pytest.raises(StatusError, match=r"cannot listen on [^ ]*: Address already in use; "):
            await second.start()
    finally:
        await server.stop()


async def test_names_can_be_changed_while_it_listens(snapshot):
    config = StatusConfig(listen="127.0.0.1:0", names=("a.test",))
    server = StatusServer(config, status_app(config, lambda: snapshot, Metrics()))
    await server.start()

    async def status(session, name):
        async with session.get(server.url + "livez", headers={"Host": name}) as answer:
            return answer.status

    try:
        async with ClientSession() as session:
            assert [await status(session, name) for name in ("a.test", "b.test")] == [200, 421]
            server.allow(StatusConfig(listen="127.0.0.1:0", names=("b.test",)))
            assert [await status(session, name) for name in ("a.test", "b.test")] == [421, 200]
            assert await status(session, "localhost") == 200
    finally:
        await server.stop()
