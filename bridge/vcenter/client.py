"""A vCenter, as far as feeding entropy to its hosts needs it. It makes no decisions."""

import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Self

from pydantic import SecretStr

from bridge.config import HostFilter, VCenterConfig
from bridge.vcenter.body import EntropyBody
from bridge.vcenter.external_pool import ExternalPools
from bridge.vcenter.inventory import Inventory
from bridge.vcenter.session import Session
from bridge.vcenter.types import HostSummary, Levels, Pool
from bridge.vcenter.wire import Observer, Wire


class VCenter:
    """One vCenter, over one session; made and used within one event loop.

    Every method raises VCenterError. Whatever goes wrong, the next call may work: a lost session
    or connection is made anew when it is needed.
    """

    def __init__(
        self,
        config: VCenterConfig,
        password: SecretStr,
        *,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = config.name
        self._wanted = config.hosts
        self._wire = Wire(config, observer)
        self._session = Session(self._wire, password, clock=clock)
        self._inventory = Inventory(self._wire, self._session)
        self._pools = ExternalPools(self._wire, self._session)

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Read the CA file and log in; may be called again after it failed."""
        self._wire.open()
        await self._session.login()

    async def close(self) -> None:
        """End the session on the vCenter and close all connections, within seconds."""
        try:
            await self._session.logout()
        finally:
            await self._wire.close()

    def allow(self, n_requests: int) -> None:
        """Make no more connections than that many requests at a time want."""
        self._wire.allow(n_requests)

    @property
    def password(self) -> SecretStr:
        """What it logs in with."""
        return self._session.password

    def use_password(self, password: SecretStr) -> None:
        """Log in with this from now on, also if the last one was refused; a session stays."""
        self._session.use_password(password)

    async def hosts(self, wanted: HostFilter | None = None) -> list[HostSummary]:
        """List the hosts that meet a filter, else the configured one, by name.

        An entry that matches nothing is a FilterError.
        """
        return await self._inventory.hosts(self._wanted if wanted is None else wanted)

    async def clusters(
        self, wanted: HostFilter | None = None, at_once: int | None = None
    ) -> dict[str, str]:
        """Return the cluster's name by the host's id, for the hosts that are in a cluster.

        Of the filter only the clusters count. No more than `at_once` requests are under way.
        """
        return await self._inventory.clusters(self._wanted if wanted is None else wanted, at_once)

    async def pool(self, host: str) -> Pool:
        """Read the entropy pool of a host, by id."""
        return await self._pools.get(host)

    def add(
        self, host: str, pieces: Iterable[memoryview], on_start: Callable[[], None]
    ) -> Coroutine[None, None, Levels]:
        """Add Base64 text to the pool of a host, by id, and return what it holds then.

        `on_start` is called when the first of the text is handed to the transport; from then on
        it is spent. A VCenterError tells its fate. Nothing here refers to the pieces any more
        when this has ended, and the transport does so only until it has ended too.
        """
        return self._pools.add(host, EntropyBody(pieces, on_start))
