"""Slots, tokens and mechanisms for a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bridge.cli.table import plain_table
from bridge.hsm.records import ModuleInfo, SlotInfo


def slots_table(info: ModuleInfo) -> Table:
    """Return a row for each slot."""
    table = plain_table(">Slot", "Token", "Serial", "Model", "Random numbers", "Login", "Remarks")
    for slot in info.slots:
        table.add_row(str(slot.slot_id), *_token(slot), ", ".join(_remarks(slot)))
    return table


def module_details(info: ModuleInfo) -> RenderableType:
    """Return everything, mechanisms included."""
    head = Text(
        f"{info.path}\n{info.description}, {info.manufacturer}, version {info.library_version}, "
        f"PKCS#11 {info.cryptoki_version}\n"
    )
    return Group(head, slots_table(info), *(_details(slot) for slot in info.slots if slot.token))


def _token(slot: SlotInfo) -> tuple[str, str, str, str, str]:
    token = slot.token
    if token is None:
        return "", "", "", "", ""
    return (
        token.label,
        token.serial,
        token.model,
        "yes" if token.has_rng else "no",
        "required" if "LOGIN_REQUIRED" in token.flags else "not required",
    )


def _remarks(slot: SlotInfo) -> Iterator[str]:
    if slot.problem:
        yield slot.problem
    elif slot.token is None:
        yield "empty"
    elif not slot.token.initialised:
        yield "not initialised"
    flags = slot.token.flags if slot.token else ()
    if "USER_PIN_LOCKED" in flags:
        yield "PIN locked"
    elif "USER_PIN_FINAL_TRY" in flags:
        yield "the next wrong PIN locks it"


def _details(slot: SlotInfo) -> RenderableType:
    flags = ", ".join(slot.token.flags) if slot.token else ""
    lines = [f"\nSlot {slot.slot_id}: {slot.description}, {slot.manufacturer}", f"  flags: {flags}"]
    if not slot.mechanisms:
        return Text("\n".join([*lines, "  no mechanisms"]))
    names = Padding(Text(", ".join(slot.mechanisms)), (0, 0, 0, 4))
    return Group(Text("\n".join(lines)), Text(f"  {len(slot.mechanisms)} mechanisms:"), names)
