# SPDX-License-Identifier: Apache-2.0
"""Choosing the token: exactly one must fit, and a refusal lists what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.hsm.records import SlotInfo

LISTED = 6  # names in one error line; a line in the ring's header is short


class HsmError(Exception):
    """The control plane cannot go on; one line that says what to do."""


class TokenAbsent(HsmError):
    """No such token now; it may come back."""


class TokenAmbiguous(HsmError):
    """More than one token fits: the configuration has to say which."""


def select(
    slots: Sequence[SlotInfo],
    *,
    label: str | None = None,
    serial: str | None = None,
    slot: int | None = None,
) -> SlotInfo:
    """Find the one slot whose token fits every criterion given; without any, the only token."""
    present = [found for found in slots if found.token is not None]
    fitting = [
        found
        for found in present
        if found.token is not None
        and (label is None or found.token.label == label)
        and (serial is None or found.token.serial == serial)
        and (slot is None or found.slot_id == slot)
    ]
    if label is None and serial is None and slot is None:
        # SoftHSM, for one, always shows one more token that nobody has initialised yet.
        initialised = [found for found in fitting if found.token and found.token.initialised]
        fitting = initialised or fitting
    wanted = _wanted(label, serial, slot)
    if not fitting:
        raise TokenAbsent(f"no token{wanted}; {_present(slots)}")
    if len(fitting) > 1:
        listed = _listed(
            f"serial {found.token.serial or '(none)'} in slot {found.slot_id}"
            for found in fitting
            if found.token is not None
        )
        raise TokenAmbiguous(
            f"{len(fitting)} tokens{wanted}: set serial or slot to one of {listed}"
        )
    return fitting[0]


def _wanted(label: str | None, serial: str | None, slot: int | None) -> str:
    words = []
    if label is not None:
        words.append(f"labelled {label!r}")
    if serial is not None:
        words.append(f"with serial {serial!r}")
    if slot is not None:
        words.append(f"in slot {slot}")
    return "".join(f" {word}" for word in words)


def _present(slots: Sequence[SlotInfo]) -> str:
    tokens = [
        f"{found.token.label!r} (serial {found.token.serial or '(none)'}, slot {found.slot_id})"
        for found in slots
        if found.token is not None and (found.token.initialised or found.token.label)
    ]
    if tokens:
        return f"present: {_listed(tokens)}"
    problems = [f"slot {found.slot_id}: {found.problem}" for found in slots if found.problem]
    if problems:
        return f"none can be read: {_listed(problems)}"
    return "the module shows no token at all; what it wants in its environment goes into env"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - LISTED
    return ", ".join(every[:LISTED]) + (f" and {more} more" if more > 0 else "")
