"""A fleet as one line per cluster, for those who have more hosts than a window has lines."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from bridge.cli.table import Detail, dry_cell, level_cells, name_cell, plain_table
from bridge.telemetry.clusters import NO_CLUSTER, Cluster


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
            name_cell(cluster.name or NO_CLUSTER),
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
