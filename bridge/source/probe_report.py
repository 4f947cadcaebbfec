# SPDX-License-Identifier: Apache-2.0
"""What a probe found, as it travels between processes and into `--json`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from bridge.native.ckr import ckr_name
from bridge.native.probe import ProbedCall, ProbedCell
from bridge.source.probe_plan import Advice, Limit, advise


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """One token's findings."""

    module: str
    slot: int
    token_label: str
    serial: str
    model: str
    login_needed: bool
    limit: Limit
    cells: tuple[ProbedCell, ...]
    lengths: tuple[ProbedCall, ...]

    @property
    def advice(self) -> Advice | None:
        """What to configure."""
        return advise(self.cells)

    def as_record(self) -> dict[str, Any]:
        """Give what `from_record` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Rebuild it from `as_record`, as it comes back from JSON."""
        return cls(
            **{
                **record,
                "limit": Limit(**record["limit"]),
                "cells": tuple(ProbedCell(**cell) for cell in record["cells"]),
                "lengths": tuple(ProbedCall(**call) for call in record["lengths"]),
            }
        )

    def as_document(self) -> dict[str, Any]:
        """Give it for programs: CKRs by name, rates and the advice worked out."""
        document = self.as_record()
        limit, advice = self.limit, self.advice
        document["limit"] = {
            "longest_bytes": limit.longest_bytes,
            "beyond": None if limit.ckr is None else ckr_name(limit.ckr),
        }
        for record, cell in zip(document["cells"], self.cells, strict=True):
            record["ckr"] = ckr_name(cell.ckr)
            record["bytes_per_second"] = cell.bytes_per_second
        for record, call in zip(document["lengths"], self.lengths, strict=True):
            record["ckr"] = ckr_name(call.ckr)
        document["advice"] = None if advice is None else dataclasses.asdict(advice)
        return document
