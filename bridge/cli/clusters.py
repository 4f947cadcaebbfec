"""A fleet as one line per cluster, for those who have more hosts than a window has lines."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from bridge.cli.table import Detail, dry_cell, level_cells, name_cell, plain_table
from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry

_NO_CLUSTER = "(no cluster)"


@dataclass(frozen=True)
class Cluster:
    """The hosts of one cluster, the first to run dry first; `name` is empty for those in none."""

    vcenter: str
    name: str
    hosts: Sequence[HostRow]

    @property
    def n_low(self) -> int:
        """Hosts under their watermark."""
        return sum(row.is_low for row in self.hosts)

    @property
    def n_unfed(self) -> int:
        """Hosts that take nothing or cannot be read."""
        return sum(row.state != HostState.FED for row in self.hosts)


def clusters_of(rows: Iterable[HostRow]) -> list[Cluster]:
    """Return the clusters of `rows`, the one whose host would run dry first at first."""
    grouped: defaultdict[tuple[str, str], list[HostRow]] = defaultdict(list)
    for row in sorted(rows, key=by_time_to_dry):
        grouped[row.vcenter, row.cluster].append(row)
    # a dict keeps the order in which the keys came, which is that of their first hosts
    return [Cluster(*key, hosts) for key, hosts in grouped.items()]


def clusters_table(clusters: Iterable[Cluster], detail: Detail = Detail.ALL) -> Table:
    """Return a line for each, with the host that would run dry first; vCenters if they differ."""
    shown = list(clusters)
    wide = detail is Detail.ALL
    more = detail is not Detail.LEAST
    vcenters = more and len({cluster.vcenter for cluster in shown}) > 1
    table = plain_table(
        "~Cluster",
        ">Hosts",
        ">Low",
        ">Not fed",
        *(["Worst", ">"] if wide else [">Worst"] * more),
        ">Dry in, unfed",
        *["~First host"] * more,
        *["~vCenter"] * vcenters,
    )
    for cluster in shown:
        first = cluster.hosts[0]
        table.add_row(
            name_cell(cluster.name or _NO_CLUSTER),
            str(len(cluster.hosts)),
            _count(cluster.n_low, "red"),
            _count(cluster.n_unfed, "yellow"),
            *level_cells(first, bar=wide) * more,
            dry_cell(first),
            *[name_cell(first.name)] * more,
            *[name_cell(cluster.vcenter)] * vcenters,
        )
    return table


def _count(n: int, style: str) -> Text:
    return Text(str(n) if n else "", style=style)
