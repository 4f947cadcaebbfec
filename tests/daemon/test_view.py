"""What the snapshot says of a host."""

import pytest

from bridge.daemon.view import host_row
from bridge.feed.hoststate import HostState
from bridge.feed.outlook import HostOutlook


@pytest.mark.parametrize(("age", "drain"), [(None, None), (0.0, 1024.0)])
def test_what_a_host_uses_is_not_told_before_it_was_read(age, drain):
    outlook = HostOutlook(
        key=("site-a", "host-1"),
        state=HostState.ABSENT,
        reason="unavailable",
        shared=False,
        available_bytes=None,
        capacity_bytes=None,
        low_watermark_bytes=None,
        drain_bytes_per_second=1024.0,
        seconds_to_dry=None,
        seconds_since_reading=age,
    )
    assert host_row(outlook, {}, {}).drain_bytes_per_second == drain
