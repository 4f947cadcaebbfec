"""Clusters, folders and datacenters, and the listings of them with vCenter's filters."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from bridge.twin.errors import unable_to_allocate

MOST_LISTED = 1000
T = TypeVar("T")


class FolderType(StrEnum):
    """What a folder can hold."""

    DATACENTER = "DATACENTER"
    DATASTORE = "DATASTORE"
    HOST = "HOST"
    NETWORK = "NETWORK"
    VIRTUAL_MACHINE = "VIRTUAL_MACHINE"


@dataclass(frozen=True)
class Folder:
    """A folder; parent is the folder around it, datacenter what it belongs to (none for roots)."""

    folder: str
    name: str
    folder_type: FolderType
    parent: str | None = None
    datacenter: str | None = None


@dataclass(frozen=True)
class Datacenter:
    """A datacenter in a folder."""

    datacenter: str
    name: str
    folder: str


@dataclass(frozen=True)
class Cluster:
    """A cluster in a host folder of a datacenter."""

    cluster: str
    name: str
    folder: str
    datacenter: str
    ha_enabled: bool = True
    drs_enabled: bool = True


@dataclass
class Inventory:
    """The tree around the hosts. An object is in a folder also through folders in between."""

    folders: dict[str, Folder] = field(default_factory=dict)
    datacenters: dict[str, Datacenter] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)

    def add_folder(self, folder: Folder) -> None:
        """Put a folder into the tree."""
        self.folders[folder.folder] = folder

    def add_datacenter(self, datacenter: Datacenter) -> None:
        """Put a datacenter into the tree."""
        self.datacenters[datacenter.datacenter] = datacenter

    def add_cluster(self, cluster: Cluster) -> None:
        """Put a cluster into the tree."""
        self.clusters[cluster.cluster] = cluster

    def folders_around(self, folder: str | None) -> frozenset[str]:
        """Return that folder and all that contain it."""
        around: set[str] = set()
        while folder is not None and folder not in around:
            around.add(folder)
            folder = self.folders[folder].parent
        return frozenset(around)

    def list_clusters(
        self,
        *,
        clusters: Collection[str] = (),
        names: Collection[str] = (),
        folders: Collection[str] = (),
        datacenters: Collection[str] = (),
    ) -> list[Cluster]:
        """Return the clusters that match every filter that is not empty."""
        return _at_most(
            "clusters",
            (
                it
                for it in self.clusters.values()
                if matches(it.cluster, clusters)
                and matches(it.name, names)
                and matches(it.datacenter, datacenters)
                and (not folders or not self.folders_around(it.folder).isdisjoint(folders))
            ),
        )

    def list_folders(
        self,
        *,
        folders: Collection[str] = (),
        names: Collection[str] = (),
        folder_type: FolderType | None = None,
        parent_folders: Collection[str] = (),
        datacenters: Collection[str] = (),
    ) -> list[Folder]:
        """Return the folders that match every filter that is not empty."""
        return _at_most(
            "folders",
            (
                it
                for it in self.folders.values()
                if matches(it.folder, folders)
                and matches(it.name, names)
                and (folder_type is None or it.folder_type is folder_type)
                and matches(it.parent, parent_folders)
                and matches(it.datacenter, datacenters)
            ),
        )

    def list_datacenters(
        self,
        *,
        datacenters: Collection[str] = (),
        names: Collection[str] = (),
        folders: Collection[str] = (),
    ) -> list[Datacenter]:
        """Return the datacenters that match every filter that is not empty."""
        return _at_most(
            "datacenters",
            (
                it
                for it in self.datacenters.values()
                if matches(it.datacenter, datacenters)
                and matches(it.name, names)
                and (not folders or not self.folders_around(it.folder).isdisjoint(folders))
            ),
        )


def matches(value: str | None, wanted: Collection[str]) -> bool:
    """Return whether a filter lets the value through; an empty filter lets all through."""
    return not wanted or value in wanted


def _at_most(what: str, found: Iterable[T]) -> list[T]:
    every = list(found)
    if len(every) > MOST_LISTED:
        raise unable_to_allocate(what, MOST_LISTED)
    return every
