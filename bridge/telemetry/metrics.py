"""Metrics for Prometheus: a snapshot turned into families, and the few that are counted here."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.telemetry.host_metrics import PREFIX, host_text
from bridge.telemetry.snapshot import HostState, Snapshot, SourceState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PUSH_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_FATES = ("delivered", "refused", "unknown", "purged", "failed", "startup", "lost")


class Metrics:
    """The bridge's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._push_duration = Histogram(
            f"{PREFIX}_push_duration_seconds",
            "From the start of an add request to its answer",
            ["vcenter"],
            buckets=_PUSH_BUCKETS,
            registry=self._registry,
        )

    def push_duration(self, vcenter: str) -> Callable[[float], None]:
        """Return what is to be called with the seconds that each add to this vCenter took."""
        return self._push_duration.labels(vcenter).observe

    def forget(self, vcenter: str) -> None:
        """Show nothing of this vCenter any more."""
        self._push_duration.remove(vcenter)

    def text(self, snapshot: Snapshot) -> bytes:
        """Return everything in Prometheus' text format; may be called in any thread."""
        rows = CollectorRegistry()
        rows.register(_SnapshotCollector(snapshot))
        return b"".join(
            (generate_latest(rows), generate_latest(self._registry), host_text(snapshot.hosts))
        )


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterator[Metric]:
        """Leave the names unchecked, which saves rendering everything twice."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from _bridge(self._snapshot)
        yield from _sources(self._snapshot)
        yield from _vcenters(self._snapshot)


def _gauge(name: str, text: str, labels: Sequence[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)


def _counter(name: str, text: str, labels: Sequence[str] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)


def _bridge(snapshot: Snapshot) -> Iterator[Metric]:
    build = _gauge("build_info", "Always 1; version and Base64 kernel", ["version", "kernel"])
    build.add_metric([snapshot.version, snapshot.kernel], 1)
    yield build
    for name, text, value in (
        ("ready", "1 while everything runs that must run", float(snapshot.is_ready)),
        ("start_time_seconds", "When the bridge started, since the epoch", snapshot.started),
        (
            "look_lateness_seconds",
            "How late the most overdue look at a host is",
            snapshot.look_lateness_seconds,
        ),
        (
            "config_last_reload_successful",
            "0 when the last attempt to reload the configuration was refused",
            float(not snapshot.config.reload_error),
        ),
        (
            "config_last_reload_success_timestamp_seconds",
            "Since when the configuration is in force, since the epoch",
            snapshot.config.in_force_since,
        ),
    ):
        family = _gauge(name, text)
        family.add_metric([], value)
        yield family


def _sources(snapshot: Snapshot) -> Iterator[Metric]:
    hsm = ["hsm"]
    random_bytes = _counter("hsm_random_bytes", "Raw bytes that the HSM handed over", hsm)
    errors = _counter("hsm_errors", "Calls that the HSM answered with an error", hsm)
    failures = _counter("output_test_failures", "Output tests that failed", ["hsm", "test"])
    fates = _counter(
        "bytes",
        "Raw bytes by what became of them; with reserve and in flight: all",
        ["hsm", "fate"],
    )
    restarts = _counter("source_restarts", "Source processes started anew", hsm)
    state = _gauge("source_state", "1 for the state that the source is in", ["hsm", "state"])
    soft = _gauge("hsm_is_soft_token", "1 for a token that is not an HSM", hsm)
    available = _gauge("reserve_available_bytes", "Raw bytes ready to be sent", hsm)
    capacity = _gauge("reserve_capacity_bytes", "Raw bytes that the reserve holds when full", hsm)
    in_flight = _gauge("in_flight_bytes", "Raw bytes in requests that have not ended", hsm)
    for source in snapshot.sources:
        key, account = [source.name], source.account
        random_bytes.add_metric(key, account.generated)
        errors.add_metric(key, source.errors)
        for test, count in source.test_failures.items():
            failures.add_metric([source.name, test], count)
        for fate in _FATES:
            fates.add_metric([source.name, fate], getattr(account, fate))
        restarts.add_metric(key, source.restarts)
        for each in SourceState:
            state.add_metric([source.name, each], float(source.state == each))
        soft.add_metric(key, float(source.is_soft_token))
        available.add_metric(key, source.reserve_available_bytes)
        capacity.add_metric(key, source.reserve_capacity_bytes)
        in_flight.add_metric(key, account.in_flight)
    yield from (random_bytes, errors, failures, fates, restarts)
    yield from (state, soft, available, capacity, in_flight)


def _vcenters(snapshot: Snapshot) -> Iterator[Metric]:
    label = ["vcenter"]
    up = _gauge("vcenter_up", "1 while there is a session", label)
    listed = _gauge("vcenter_hosts_listed", "1 while it lists its hosts when asked", label)
    in_flight = _gauge("requests_in_flight", "Requests that have not ended", label)
    limit = _gauge("requests_in_flight_limit", "How many may be in flight now", label)
    requests = _counter("requests", "Requests that ended", ["vcenter", "operation", "outcome"])
    hosts = _gauge("hosts", "Hosts by state", ["vcenter", "state"])
    counts = {(vcenter.name, state): 0 for vcenter in snapshot.vcenters for state in HostState}
    for host in snapshot.hosts:
        key = (host.vcenter, HostState(host.state))
        counts[key] = counts.get(key, 0) + 1
    for vcenter in snapshot.vcenters:
        up.add_metric([vcenter.name], float(vcenter.is_connected))
        listed.add_metric([vcenter.name], float(vcenter.lists_hosts))
        in_flight.add_metric([vcenter.name], vcenter.in_flight)
        limit.add_metric([vcenter.name], vcenter.in_flight_limit)
        for (operation, outcome), count in vcenter.requests.items():
            requests.add_metric([vcenter.name, operation, outcome], count)
    for (name, state), count in counts.items():
        hosts.add_metric([name, state], count)
    yield from (up, listed, in_flight, limit, requests, hosts)
