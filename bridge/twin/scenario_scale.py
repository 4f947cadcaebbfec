"""What has to change in a fault rule when the hosts' time runs faster than the bridge's.

When and how long a rule is in force is the hosts' time already; how long it holds a request up is
the bridge's.
"""

import math

from bridge.twin.faults import FaultRule


def scaled_fault(rule: FaultRule, speed: float) -> FaultRule:
    """Return the rule for a bridge whose seconds are `speed` seconds of the hosts."""
    again = rule.retry_after
    if again is not None and again.isascii() and again.isdigit():
        again = str(math.ceil(int(again) / speed))
    return rule.model_copy(
        update={
            "delay_seconds": rule.delay_seconds / speed,
            "bytes_per_second": max(1, round(rule.bytes_per_second * speed)),
            "retry_after": again,
        }
    )
