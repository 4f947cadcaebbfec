# SPDX-License-Identifier: Apache-2.0
"""The account of a source's bytes: where each one went."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum


class Fate(IntEnum):
    """What became of bytes that were handed to a transport."""

    DELIVERED = 0  # the host accepted them
    REFUSED = 1  # an error status came back
    UNKNOWN = 2  # no answer: they may have arrived


@dataclass(frozen=True, slots=True)
class Account:
    """Raw bytes since the source began.

    generated = published + failed + startup + lost + in_source;
    published = delivered + refused + unknown + purged + in_ring + in_flight.
    """

    generated: int = 0  # by the module
    published: int = 0  # arrived in the consumer's hands
    failed: int = 0  # discarded by output tests
    startup: int = 0  # spent on start-up and requalification tests
    lost: int = 0  # with a source that ended
    in_source: int = 0  # not published yet; nothing once the source has ended
    delivered: int = 0
    refused: int = 0
    unknown: int = 0
    purged: int = 0
    in_ring: int = 0  # to be had
    in_flight: int = 0  # taken, fate to come

    @property
    def closes(self) -> bool:
        """Whether both sums come out."""
        made = self.published + self.failed + self.startup + self.lost + self.in_source
        fates = self.delivered + self.refused + self.unknown + self.purged
        return self.generated == made and self.published == fates + self.in_ring + self.in_flight

    def __add__(self, other: Account) -> Account:
        """Sum two sources' accounts."""
        return Account(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in fields(self)
            }
        )
