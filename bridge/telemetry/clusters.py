"""A fleet by cluster, for those who have more hosts than can be looked at one by one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bridge.telemetry.snapshot import HostRow, HostState, by_time_to_dry

NO_CLUSTER = "(no cluster)"


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
