"""Builds the fleet that the options ask for: the same options give the same fleet."""

from bridge.twin.clock import Clock
from bridge.twin.drain import uniform
from bridge.twin.fleet import Fleet, Place
from bridge.twin.inventory import Cluster, Datacenter, Folder, FolderType, Inventory
from bridge.twin.options import TwinOptions
from bridge.twin.pool import DEFAULT_CAPACITY_BYTES

ROOT_FOLDER = "group-d1"


def build_fleet(options: TwinOptions, clock: Clock) -> Fleet:
    """Return datacenters with clusters and hosts dealt out evenly over them."""
    inventory = Inventory()
    inventory.add_folder(Folder(ROOT_FOLDER, "Datacenters", FolderType.DATACENTER))
    for number in range(1, options.datacenters + 1):
        _add_datacenter(inventory, number)
    clusters = [
        _add_cluster(inventory, number, 1 + (number - 1) % options.datacenters)
        for number in range(1, options.clusters + 1)
    ]
    fleet = Fleet(inventory, clock, seed=options.seed, readings=options.readings)
    in_clusters = options.hosts - options.standalone_hosts if clusters else 0
    for number in range(1, options.hosts + 1):
        if number <= in_clusters:
            cluster = clusters[(number - 1) % len(clusters)]
            place = Place(cluster.folder, cluster.datacenter, cluster.cluster)
        else:
            where = 1 + (number - 1) % options.datacenters
            place = Place(_host_folder(where), _datacenter(where))
        fleet.add_host(
            number,
            place,
            profile=options.drain_profile,
            drain_bytes_per_second=options.drain_bytes_per_second * _factor(options, 2 * number),
            level_bytes=min(
                DEFAULT_CAPACITY_BYTES,
                round(options.initial_level_bytes * _factor(options, 2 * number + 1)),
            ),
            storage_bytes=options.payload_bytes,
            sources=0 if number > options.hosts - options.disabled_hosts else options.sources,
            boot_seconds=options.boot_seconds,
        )
    return fleet


def _factor(options: TwinOptions, index: int) -> float:
    return 1 + options.spread * (2 * uniform(options.seed, index) - 1)


def _datacenter(number: int) -> str:
    return f"datacenter-{number}"


def _host_folder(number: int) -> str:
    return f"group-h{number}"


def _add_datacenter(inventory: Inventory, number: int) -> None:
    datacenter = Datacenter(_datacenter(number), f"DC-{number:02d}", ROOT_FOLDER)
    inventory.add_datacenter(datacenter)
    for folder, name, folder_type in (
        (_host_folder(number), "host", FolderType.HOST),
        (f"group-v{number}", "vm", FolderType.VIRTUAL_MACHINE),
        (f"group-s{number}", "datastore", FolderType.DATASTORE),
        (f"group-n{number}", "network", FolderType.NETWORK),
    ):
        inventory.add_folder(Folder(folder, name, folder_type, ROOT_FOLDER, datacenter.datacenter))


def _add_cluster(inventory: Inventory, number: int, datacenter: int) -> Cluster:
    cluster = Cluster(
        f"domain-c{number}",
        f"cluster-{number:02d}",
        _host_folder(datacenter),
        _datacenter(datacenter),
    )
    inventory.add_cluster(cluster)
    return cluster
