"""The twin's installer: what it reads in a kickstart file, and a host that lives on it."""

import base64
import os

import pytest

from bridge.twin.errors import ApiError
from bridge.twin.installer import read_kickstart
from bridge.twin.readings import PayloadUnits


def kickstart(sources: int, raw: bytes) -> bytes:
    data = base64.b64encode(raw).decode()
    return (
        "vmaccepteula\nrootpw secret\n# entropy --sources=0 --data=\n"
        f"entropy --sources={sources} --data={data}\ninstall --firstdisk --overwritevmfs\n"
    ).encode()


def test_installs_from_a_kickstart_file():
    raw = os.urandom(524_288)
    payload = read_kickstart(kickstart(8, raw), PayloadUnits.DECIMAL)
    assert (payload.sources, payload.raw) == (8, raw)
    assert "raw" not in repr(payload)
    swapped = f"entropy --data={base64.b64encode(raw).decode()} --sources=15\n"
    assert read_kickstart(swapped.encode(), PayloadUnits.BINARY).sources == 15
    assert read_kickstart(b"vmaccepteula\n", PayloadUnits.DECIMAL).sources == 0
    assert read_kickstart(b"entropy --sources=7\n", PayloadUnits.DECIMAL).raw == b""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("entropy", "--sources must be"),
        ("entropy --sources=16 --data=QUJD", "--sources must be"),
        ("entropy --sources=-1", "--sources must be"),
        ("entropy --sources=8", "--data is missing"),
        ("entropy --sources=8 --data=", "--data is missing"),
        ("entropy --sources 8 --data=QUJD", "no option"),
        ("entropy --sources=8 --sources=8 --data=QUJD", "twice"),
        ("entropy --sources=8 --data=QUJD\nentropy --sources=8 --data=QUJD", "line 2: entropy"),
        ("entropy --sources=8 --data=QUJD*", "not Base64"),
        ("entropy --sources=8 --data=QUI", "not Base64"),
        ("entropy --sources=8 --data=QUJ=", "Base64"),
        ("entropy --sources=8 --data=QUJD", "must encode 512000 to 10000000 bytes, not 3"),
    ],
)
def test_refuses_what_an_installer_would_choke_on(text, reason):
    with pytest.raises(ApiError, match=reason):
        read_kickstart(text.encode() + b"\n", PayloadUnits.DECIMAL)


@pytest.mark.parametrize(
    ("units", "size", "fine"),
    [
        (PayloadUnits.DECIMAL, 511_999, False),
        (PayloadUnits.DECIMAL, 512_000, True),
        (PayloadUnits.BINARY, 524_287, False),
        (PayloadUnits.BINARY, 524_288, True),
        (PayloadUnits.DECIMAL, 10_000_000, True),
        (PayloadUnits.DECIMAL, 10_000_001, False),
        (PayloadUnits.BINARY, 10_485_760, True),
        (PayloadUnits.BINARY, 10_485_761, False),
    ],
)
def test_the_size_of_the_payload_has_two_readings(units, size, fine):
    text = kickstart(8, bytes(size))
    if fine:
        assert len(read_kickstart(text, units).raw) == size
    else:
        with pytest.raises(ApiError, match="must encode"):
            read_kickstart(text, units)


async def test_over_the_wire_a_host_is_installed_fed_hangs_and_comes_back(start_twin):
    twin = await start_twin(hosts=1, drain_bytes_per_second=1024, initial_level=0)
    text = kickstart(8, os.urandom(600_000))
    reply = await twin.ask(
        "POST",
        "/twin/hosts/esx-0001.example.test/install",
        data=text,
        headers={"Authorization": f"Bearer {twin.address.admin_token}"},
    )
    assert reply.json["state"] == "booting"
    assert (await twin.pool("host-1001")).status == 503
    listed = (await twin.ask("GET", "/api/vcenter/host")).json[0]
    assert listed["connection_state"] == "NOT_RESPONDING"
    assert "power_state" not in listed
    twin.clock.jump(60)
    assert (await twin.pool("host-1001")).json["currently_available"] == 0
    assert (await twin.add("host-1001", bytes(20_480))).status == 200
    twin.clock.jump(20 + 31)
    assert (await twin.pool("host-1001")).status == 200
    twin.clock.jump(2)
    assert (await twin.pool("host-1001")).status == 503
    assert (await twin.add("host-1001", bytes(3))).status == 503
    assert (await twin.admin("POST", "hosts/host-1001/reboot")).json["state"] == "booting"
    twin.clock.jump(60)
    assert (await twin.add("host-1001", bytes(3000))).status == 200
    state = (await twin.admin("GET", "hosts")).json["hosts"][0]
    assert (state["boots"], state["state"]) == (2, "running")
    refused = await twin.ask(
        "POST",
        "/twin/hosts/host-1001/install",
        data=b"entropy --sources=8\n",
        headers={"Authorization": f"Bearer {twin.address.admin_token}"},
    )
    assert (refused.status, refused.json["error_type"]) == (400, "INVALID_ARGUMENT")
