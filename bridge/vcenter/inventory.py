"""The hosts of a vCenter: which ones a filter means, by the names or ids that a person types."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import product
from urllib.parse import quote

from bridge.config import HostFilter
from bridge.vcenter.diagnosis import Call, doing
from bridge.vcenter.errors import (
    BadRequest,
    FilterError,
    NotFound,
    ProtocolError,
    ServerError,
    VCenterError,
)
from bridge.vcenter.replies import MalformedError
from bridge.vcenter.session import Session
from bridge.vcenter.types import HostSummary
from bridge.vcenter.wire import Wire

LIST_BYTES_MAX = 8 << 20  # vCenter's own limit is 7 MB; 2,500 hosts make half of one
FIELD_CHARACTERS_MAX = 1500  # of one filter in an address, which proxies limit to 8 KiB
TOO_MANY_MATCHES = "UNABLE_TO_ALLOCATE_RESOURCE"
HOST_FOLDERS = ("HOST", "DATACENTER", None)
CLUSTERS_AT_ONCE = 8

_ID = re.compile(r"[a-z]+-[a-z]*[0-9]+(:[0-9A-Za-z-]+)?")

Where = dict[str, tuple[str, ...]]
"""A filter as the interface has it: all fields must match, each by any of its values."""


class Inventory:
    """The inventory of one vCenter, as far as its user may see it."""

    def __init__(self, wire: Wire, session: Session) -> None:
        self._wire = wire
        self._target = wire.target
        self._session = session

    async def hosts(self, wanted: HostFilter) -> list[HostSummary]:
        """List the hosts that meet all of `wanted`; an entry that matches nothing is an error."""
        where: Where = {}
        for kind, entries in (
            ("cluster", wanted.clusters),
            ("folder", wanted.folders),
            ("datacenter", wanted.datacenters),
        ):
            if entries:
                where[f"{kind}s"] = await self._resolve(kind, entries)
        if wanted.hosts:
            found = await self._hosts_named(wanted.hosts, where)
        elif wanted.names:
            found = await self._hosts_where(where | {"names": wanted.names})
        else:
            found = await self._hosts_where(where)
        if wanted.names:
            found = [host for host in found if host.name in wanted.names]
        await self._check(wanted, found)
        return sorted({host.host: host for host in found}.values(), key=lambda h: (h.name, h.host))

    async def clusters(self, wanted: HostFilter, at_once: int | None = None) -> dict[str, str]:
        """Return what the cluster of each host is called, by the host's id; some are in none.

        Of `wanted` only the clusters count. A name that two clusters have comes with the id.
        """
        where: Where = {}
        if wanted.clusters:
            where["clusters"] = await self._resolve("cluster", wanted.clusters)
        names = await self._named("cluster", where)
        times = Counter(names.values())
        limit = asyncio.Semaphore(at_once or CLUSTERS_AT_ONCE)

        async def hosts_of(cluster: str) -> list[HostSummary]:
            async with limit:
                return await self._hosts_where({"clusters": (cluster,)})

        found = await asyncio.gather(*map(hosts_of, names))
        return {
            host.host: name if times[name] == 1 else f"{name} ({cluster})"
            for (cluster, name), hosts in zip(names.items(), found, strict=True)
            for host in hosts
        }

    async def _hosts_named(self, entries: tuple[str, ...], where: Where) -> list[HostSummary]:
        found = []
        ids = tuple(entry for entry in entries if _ID.fullmatch(entry))
        if ids:
            try:
                found = await self._hosts_where(where | {"hosts": ids})
            except (BadRequest, NotFound):
                found = []  # what looks like an id may be a name
        known = {host.host for host in found}
        names = tuple(entry for entry in entries if entry not in known)
        if names:
            found += await self._hosts_where(where | {"names": names})
        return found

    async def _check(self, wanted: HostFilter, found: list[HostSummary]) -> None:
        names = {host.name for host in found}
        either = names | {host.host for host in found}
        for field, entries, there in (
            ("hosts", wanted.hosts, either),
            ("names", wanted.names, names),
        ):
            for entry in entries:
                if entry not in there:
                    raise FilterError(
                        self._target.says(
                            f'hosts.{field} has "{entry}", but {self._target.username} sees '
                            "no such host that meets the rest of the filter"
                            f"{await self._similar('host', entry)}"
                        )
                    )
        if not found:
            filtered = wanted != HostFilter()
            what = "no host that meets the filter" if filtered else "no host"
            raise FilterError(
                self._target.says(
                    f"{self._target.username} sees {what}; give it a role with "
                    "Host.Entropy.Read and Host.Entropy.Write on them, with propagation"
                )
            )

    async def _resolve(self, kind: str, entries: tuple[str, ...]) -> tuple[str, ...]:
        """Return the ids of what `entries` call by id or name; a name may mean several."""
        found: dict[str, str] = {}
        ids = tuple(entry for entry in entries if _ID.fullmatch(entry))
        if ids:
            try:
                found |= await self._named(kind, {f"{kind}s": ids})
            except (BadRequest, NotFound):
                found = {}
        names = tuple(entry for entry in entries if entry not in found)
        if names:
            found |= await self._named(kind, {"names": names})
        there = found.keys() | set(found.values())
        for entry in entries:
            if entry not in there:
                raise FilterError(
                    self._target.says(
                        f'hosts.{kind}s has "{entry}", but {self._target.username} sees '
                        f"no {kind} of that name or id{await self._similar(kind, entry)}"
                    )
                )
        return tuple(found)

    async def _similar(self, kind: str, entry: str) -> str:
        try:
            names = (await self._named(kind, {})).values()
        except VCenterError:
            return ""
        if entry in names:
            return ""  # it is there, but not where the rest of the filter looks
        short = [name for name in names if name.partition(".")[0].lower() == entry.lower()]
        close = short or get_close_matches(entry, names, n=1)
        return f'; did you mean "{close[0]}"?' if close else ""

    async def _named(self, kind: str, where: Where) -> dict[str, str]:
        """Return names by id."""
        return {
            self._text(item, kind): self._text(item, "name")
            for item in await self._objects(kind, where)
            if kind != "folder" or item.get("type") in HOST_FOLDERS
        }

    async def _hosts_where(self, where: Where) -> list[HostSummary]:
        try:
            return [self._summary(item) for item in await self._objects("host", where)]
        except ServerError as error:
            if error.error_type != TOO_MANY_MATCHES:
                raise
            parts = await self._parts(where)
            if not parts:
                raise
            return [host for part in parts for host in await self._hosts_where(part)]

    async def _parts(self, where: Where) -> list[Where]:
        """Divide what is too much for one reply; empty when there is nothing to divide by."""
        for field, values in where.items():
            if len(values) > 1:
                half = len(values) // 2
                return [where | {field: values[:half]}, where | {field: values[half:]}]
        if "datacenters" not in where:
            datacenters = await self._named("datacenter", {})
            return [where | {"datacenters": (datacenter,)} for datacenter in datacenters]
        if "clusters" not in where and "standalone" not in where:
            clusters = await self._named("cluster", {"datacenters": where["datacenters"]})
            in_clusters: list[Where] = [where | {"clusters": (cluster,)} for cluster in clusters]
            return [*in_clusters, where | {"standalone": ("true",)}]
        return []

    async def _objects(self, kind: str, where: Where) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for query in queries(where):
            reply = await self._session.get(
                Call.INVENTORY,
                self._wire.address(f"/api/vcenter/{kind}", query),
                reply_bytes_max=LIST_BYTES_MAX,
            )
            try:
                items = reply.json()
            except MalformedError:
                items = None
            if not isinstance(items, list):
                raise self._nonsense(f"the list of {kind}s is no list")
            for item in items:
                if not isinstance(item, dict):
                    raise self._nonsense(f"a {kind} is no object")
                found.append(item)
        return found

    def _summary(self, item: dict[str, object]) -> HostSummary:
        return HostSummary(
            host=self._text(item, "host"),
            name=self._text(item, "name"),
            connection_state=self._text(item, "connection_state"),
            power_state=None
            if item.get("power_state") is None
            else self._text(item, "power_state"),
        )

    def _text(self, item: dict[str, object], key: str) -> str:
        value = item.get(key)
        if not isinstance(value, str) or not value:
            raise self._nonsense(f"{key} is no text")
        return value

    def _nonsense(self, problem: str) -> ProtocolError:
        what = f"cannot {doing(Call.INVENTORY, None)}: the reply makes no sense: {problem}"
        return ProtocolError(self._target.says(what), status=200)


def queries(where: Where) -> Iterator[str]:
    """Write a filter as queries, none of which is too long, that together find all it means."""
    for parts in product(*(_chunks(field, values) for field, values in where.items())):
        yield "&".join(parts)


def _chunks(field: str, values: Iterable[str]) -> list[str]:
    chunks: list[str] = []
    for value in dict.fromkeys(values):
        pair = f"{field}={quote(value, safe='')}"
        if chunks and len(chunks[-1]) + 1 + len(pair) <= FIELD_CHARACTERS_MAX:
            chunks[-1] += f"&{pair}"
        else:
            chunks.append(pair)
    return chunks
