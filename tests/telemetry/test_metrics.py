import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY

from bridge.telemetry.metrics import Metrics
from bridge.telemetry.snapshot import ConfigRow
from tests.telemetry.conftest import NASTY


def families(text):
    return {f.name: f for f in text_string_to_metric_families(text.decode())}


def samples(text):
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for f in families(text).values()
        for s in f.samples
    }


def value(text, metric, /, **labels):
    return samples(text)["entropy_bridge_" + metric, tuple(sorted(labels.items()))]


def test_every_value_of_the_snapshot_is_there(snapshot):
    text = Metrics().text(snapshot)
    esx1 = {"vcenter": "a", "host": "host-1", "name": "esx1"}
    assert value(text, "host_pool_available_bytes", **esx1) == 400_000
    assert value(text, "host_pool_capacity_bytes", **esx1) == 524_288
    assert value(text, "host_pool_low_watermark_bytes", **esx1) == 104_857
    assert value(text, "host_drain_bytes_per_second", **esx1) == 1024
    assert value(text, "host_seconds_to_empty", **esx1) == 390.6
    assert value(text, "host_last_success_timestamp_seconds", **esx1) == 1.7e9
    assert value(text, "hsm_random_bytes_total", hsm="luna") == 100
    assert value(text, "hsm_errors_total", hsm="luna") == 3
    assert value(text, "hsm_is_soft_token", hsm="luna") == 1
    assert value(text, "output_test_failures_total", hsm="luna", test="poison") == 1
    assert value(text, "source_restarts_total", hsm="luna") == 2
    assert value(text, "source_state", hsm="luna", state="running") == 1
    assert value(text, "source_state", hsm="luna", state="latched_pin") == 0
    assert value(text, "reserve_available_bytes", hsm="luna") == 1_000_000
    assert value(text, "requests_total", vcenter="a", operation="add", outcome="200") == 7
    assert value(text, "vcenter_up", vcenter="a") == 1
    assert value(text, "vcenter_hosts_listed", vcenter="a") == 1
    assert value(text, "hosts", vcenter="a", state="fed") == 3
    assert value(text, "hosts", vcenter="a", state="refused") == 0
    assert value(text, "look_lateness_seconds") == 0.5
    assert value(text, "config_last_reload_successful") == 1
    assert value(text, "config_last_reload_success_timestamp_seconds") == 1.6e9
    assert value(text, "ready") == 1
    assert value(text, "build_info", version="0.1.0", kernel="avx2") == 1
    assert ("process_resident_memory_bytes", ()) in samples(text)


def test_the_account_closes_in_the_metrics(snapshot):
    text = Metrics().text(snapshot)
    fates = sum(v for (name, _), v in samples(text).items() if name == "entropy_bridge_bytes_total")
    account = snapshot.sources[0].account
    assert account.closes
    assert fates + account.in_ring + account.in_flight == account.generated


def test_what_is_not_known_is_not_there_and_endless_is_infinite(snapshot):
    text = Metrics().text(snapshot)
    empty = families(text)["entropy_bridge_host_seconds_to_empty"].samples
    assert {s.labels["host"] for s in empty} == {"host-1", "host-2", "host-4"}
    assert b'host="host-4",name="esx4"} +Inf\n' in text


def test_a_nasty_name_reads_back_as_it_is(snapshot):
    nasty = replace(snapshot.hosts[0], name=NASTY)
    text = Metrics().text(replace(snapshot, hosts=(nasty,)))
    assert value(text, "host_pool_available_bytes", vcenter="a", host="host-1", name=NASTY)


def test_durations_are_counted_by_vcenter(snapshot):
    metrics = Metrics()
    metrics.push_duration("a")(0.02)
    metrics.push_duration("a")(40.0)
    text = metrics.text(snapshot)
    assert value(text, "push_duration_seconds_count", vcenter="a") == 2
    assert value(text, "push_duration_seconds_bucket", vcenter="a", le="0.025") == 1


def test_nothing_is_registered_globally(snapshot):
    Metrics().text(snapshot)
    Metrics().text(snapshot)
    assert not [f for f in REGISTRY.collect() if f.name.startswith("entropy_bridge")]


def test_names_follow_prometheus_rules(snapshot):
    metrics = Metrics()
    metrics.push_duration("a")
    lines = metrics.text(snapshot).decode().splitlines()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", "\n".join(lines), re.MULTILINE))
    helped = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert sorted(helped) == sorted(types)
    assert len(set(helped)) == len(helped)
    for name, kind in types.items():
        assert re.fullmatch(r"(entropy_bridge|process)_[a-z0-9_]+", name)
        assert name.endswith("_total") == (kind == "counter")
        assert not re.search(r"_(ms|millis\w*|kib|kb|mb|percent|count|sum|bucket)$", name)
        assert not re.search(r"_(gauge|counter|histogram)(_|$)", name)


def test_a_refused_reload_shows_beside_the_configuration_in_force(snapshot):
    text = Metrics().text(replace(snapshot, config=ConfigRow(1.5e9, "no such file")))
    assert value(text, "config_last_reload_successful") == 0
    assert value(text, "config_last_reload_success_timestamp_seconds") == 1.5e9


def test_a_vcenter_that_does_not_list_its_hosts_is_up_all_the_same(snapshot):
    row = replace(snapshot.vcenters[0], lists_hosts=False)
    text = Metrics().text(replace(snapshot, vcenters=(row,)))
    assert value(text, "vcenter_hosts_listed", vcenter="a") == 0
    assert value(text, "vcenter_up", vcenter="a") == 1


def test_a_vcenter_that_is_gone_shows_no_more(snapshot):
    metrics = Metrics()
    observe = metrics.push_duration("gone")
    observe(0.1)
    assert b'vcenter="gone"' in metrics.text(snapshot)
    metrics.forget("gone")
    observe(0.1)  # of a request that was under way
    assert b'vcenter="gone"' not in metrics.text(snapshot)
