"""A snapshot as JSON values."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from bridge.telemetry.clusters import Cluster, clusters_of
from bridge.telemetry.snapshot import HostRow, Snapshot, SourceRow, VCenterRow


def host_document(row: HostRow) -> dict[str, object]:
    """Return a host as JSON values; a time to dry that is endless or not known is null."""
    return asdict(row) | {"seconds_to_dry": _finite(row.seconds_to_dry), "low": row.is_low}


def snapshot_document(
    snapshot: Snapshot, hosts: Sequence[HostRow], n_found: int
) -> dict[str, object]:
    """Return everything as JSON values, with the `hosts` given, out of `n_found`."""
    return {
        "time": snapshot.time,
        "started": snapshot.started,
        "version": snapshot.version,
        "kernel": snapshot.kernel,
        "ready": snapshot.is_ready,
        "not_ready": list(snapshot.not_ready),
        "warnings": list(snapshot.warnings),
        "config": asdict(snapshot.config),
        "look_lateness_seconds": snapshot.look_lateness_seconds,
        "sources": [_source(source) for source in snapshot.sources],
        "vcenters": [_vcenter(vcenter) for vcenter in snapshot.vcenters],
        "n_hosts": len(snapshot.hosts),
        "n_hosts_low": sum(1 for row in snapshot.hosts if row.is_low),
        "n_hosts_found": n_found,
        "clusters": [_cluster(cluster) for cluster in clusters_of(snapshot.hosts)],
        "hosts": [host_document(row) for row in hosts],
    }


def _finite(seconds: float | None) -> float | None:
    return seconds if seconds is not None and math.isfinite(seconds) else None


def _cluster(cluster: Cluster) -> dict[str, object]:
    first = cluster.hosts[0]
    return {
        "vcenter": cluster.vcenter,
        "name": cluster.name,
        "n_hosts": len(cluster.hosts),
        "n_hosts_low": cluster.n_low,
        "n_hosts_unfed": cluster.n_unfed,
        "first_host": first.host,
        "seconds_to_dry": _finite(first.seconds_to_dry),
    }


def _source(source: SourceRow) -> dict[str, object]:
    values = {name: getattr(source, name) for name in SourceRow.__dataclass_fields__}
    account = asdict(source.account) | {"closes": source.account.closes}
    return values | {"test_failures": dict(source.test_failures), "account": account}


def _vcenter(vcenter: VCenterRow) -> dict[str, object]:
    values = {name: getattr(vcenter, name) for name in VCenterRow.__dataclass_fields__}
    requests = [
        {"operation": operation, "outcome": outcome, "count": count}
        for (operation, outcome), count in vcenter.requests.items()
    ]
    return values | {"requests": requests}
