"""What is shown of large fleets, in windows of every size."""

import io
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bridge.cli.hosts_view import listing, shares, window
from bridge.telemetry.clusters import clusters_of
from bridge.telemetry.snapshot import HostRow

KIB = 1024


def fleet(n_hosts, n_clusters, **changes):
    """Host n would be dry after n seconds; hosts take turns in their clusters."""
    return [
        HostRow(
            "site-a",
            f"host-{n}",
            f"esx-{n:04}.example.com",
            "fed",
            available_bytes=n * KIB,
            capacity_bytes=4096 * KIB,
            low_watermark_bytes=100 * KIB,
            drain_bytes_per_second=1.0 * KIB,
            seconds_to_dry=float(n),
            cluster=f"Prod-{n % n_clusters:02}",
            **changes,
        )
        for n in reversed(range(n_hosts))
    ]


def drawn(what, width, height=25):
    """Return the lines that a window of that size gets."""
    screen = Console(file=io.StringIO(), width=width, height=height, highlight=False)
    screen.print(what(screen))
    return screen.file.getvalue().splitlines()


def words_of(lines):
    """Return wrapped lines as one."""
    return " ".join(" ".join(lines).split())


def test_clusters_come_in_the_order_of_their_first_hosts():
    clusters = clusters_of(fleet(90, 40))
    assert [cluster.name for cluster in clusters] == [f"Prod-{n:02}" for n in range(40)]
    assert [row.name for row in clusters[3].hosts] == [
        f"esx-{n:04}.example.com" for n in (3, 43, 83)
    ]
    assert (clusters[3].n_low, clusters[3].n_unfed) == (3, 0)


def test_clusters_of_two_vcenters_are_not_the_same():
    row = fleet(1, 1)[0]
    other = HostRow("site-b", "host-1", "esx", "unreachable", cluster="Prod-00")
    clusters = clusters_of([other, row])
    assert [(cluster.vcenter, cluster.n_unfed) for cluster in clusters] == [
        ("site-a", 0),
        ("site-b", 1),
    ]


def test_a_wide_window_has_every_cluster_beside_the_first_hosts():
    lines = drawn(lambda screen: window(fleet(2500, 40), screen), 200, 50)
    assert len(lines) <= 50
    for n in range(40):
        assert lines[1 + n].startswith(f"Prod-{n:02} ")
        assert f"  esx-{n:04}.example.com" in lines[1 + n]
    assert lines[-1].startswith("2500 hosts in 40 clusters; 100 under their watermark; ")


def test_a_small_window_has_the_first_of_both():
    lines = drawn(lambda screen: window(fleet(2500, 40), screen), 80, 24)
    assert len(lines) <= 24
    assert [line.split()[0] for line in lines[1:10]] == [f"Prod-{n:02}" for n in range(9)]
    assert [line.split()[0] for line in lines[12:21]] == [
        f"esx-{n:04}.example.com" for n in range(9)
    ]
    assert all("…" not in line for line in lines)


@pytest.mark.parametrize(("width", "height"), [(100, 24), (76, 24), (60, 20), (45, 16)])
def test_a_narrow_window_keeps_names_times_and_the_summary(width, height):
    lines = drawn(lambda screen: window(fleet(2500, 40), screen), width, height)
    assert len(lines) <= height
    assert lines[0].startswith("Cluster")
    assert lines[1].startswith("Prod-00")
    shown = next(line for line in lines if line.startswith("esx-0000"))
    assert "0 s" in shown
    assert words_of(lines[-4:]).endswith("; the first is dry in 0 s if nobody feeds it")


def test_a_host_that_cannot_be_read_any_more_stays_where_it_belongs():
    rows = fleet(30, 1)
    lost = replace(rows[-3], state="unreachable", last_success=time.time() - 42.5)
    rows[-3] = lost
    rows.append(HostRow("site-a", "host-99", "esx-0099", "disabled"))
    rows += [HostRow("site-a", f"host-{n}", f"esx-{n:04}", "refused") for n in range(50, 54)]
    lines = drawn(lambda screen: listing(rows, screen), 120, 50)
    assert lines[3].startswith(lost.name)
    assert "unreachable, seen 42 s ago, low" in lines[3]
    assert [line.split()[0] for line in lines[31:36]] == [
        *[row.name for row in rows[-4:]],
        "esx-0099",
    ]
    assert words_of(lines[-2:]).startswith(
        "35 hosts; 30 under their watermark; 1 that take nothing; 5 that cannot be read "
        "(esx-0002.example.com, esx-0050, esx-0051, …); "
    )


def test_one_cluster_is_no_matter_of_clusters():
    lines = drawn(lambda screen: window(fleet(300, 1), screen), 100, 24)
    assert len(lines) <= 24
    assert "Cluster" not in lines[0]
    assert [line.split()[0] for line in lines[1:21]] == [
        f"esx-{n:04}.example.com" for n in range(20)
    ]
    assert "clusters" not in lines[-1]


def test_what_was_seen_last_stays_with_a_word_about_it():
    lines = drawn(lambda screen: window(fleet(30, 4), screen, "seen 9 s ago; no reply"), 100)
    assert lines[-1] == "seen 9 s ago; no reply"
    assert any("esx-0000" in line for line in lines)


@given(
    st.integers(0, 60),
    st.integers(1, 50),
    st.integers(1, 250),
    st.integers(1, 60),
)
def test_every_window_gets_something(n_hosts, n_clusters, width, height):
    lines = drawn(lambda screen: window(fleet(n_hosts, n_clusters), screen), width, height)
    assert lines
    assert all(len(line) <= width for line in lines)
    if width >= 80 and height >= 9:
        assert len(lines) <= height


@given(st.integers(2, 100), st.integers(1, 3000), st.integers(2, 300))
def test_no_line_is_wasted(n_lines, n_hosts, n_clusters):
    hosts, clusters = shares(n_lines, n_hosts, n_clusters)
    assert hosts >= 1
    assert clusters >= 1
    assert hosts + clusters == min(n_lines, n_hosts + n_clusters)


@pytest.mark.parametrize(("most", "shown"), [(None, 100), (40, 40)])
def test_a_listing_ends_with_the_clusters(most, shown):
    lines = drawn(lambda screen: listing(fleet(100, 4), screen, most), 200)
    assert [line.split()[0] for line in lines[1 : shown + 1]] == [
        f"esx-{n:04}.example.com" for n in range(shown)
    ]
    assert ("and 60 more hosts" in lines) == (most == 40)
    assert [line.split()[:3] for line in lines[-6:-2]] == [
        [f"Prod-{n:02}", "25", "25"] for n in range(4)
    ]
    assert lines[-1].startswith("100 hosts in 4 clusters")
