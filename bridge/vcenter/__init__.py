"""The REST client of a vCenter: session, inventory, external entropy pools, errors. No policy."""

from bridge.vcenter.client import VCenter
from bridge.vcenter.diagnosis import Call
from bridge.vcenter.types import HostSummary, Levels, Pool, PoolStatus
from bridge.vcenter.wire import Observer

__all__ = ["Call", "HostSummary", "Levels", "Observer", "Pool", "PoolStatus", "VCenter"]
