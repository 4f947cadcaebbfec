# SPDX-License-Identifier: Apache-2.0
"""python-pkcs11 on a module that the native code owns.

Native code has called C_Initialize and will call C_Finalize, so nothing here does; nor does it
log in, for closing such a session would log the native ones out. Runs in a source process only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkcs11 import PKCS11Error, TokenFlag, TokenNotPresent, TokenNotRecognised
from pkcs11._pkcs11 import lib

from bridge.hsm.records import ModuleInfo, SlotInfo, TokenInfo
from bridge.hsm.selection import HsmError, select

if TYPE_CHECKING:
    from pathlib import Path

    from pkcs11.types import Slot


class _SharedModule(lib):
    """The module as python-pkcs11 sees it, without the life cycle."""

    def initialize(self) -> None:
        """Leave C_Initialize to its owner; `initialized` stays false, so nothing finalises."""

    def finalize(self) -> None:
        """Leave C_Finalize to its owner."""

    def reinitialize(self) -> None:
        """Refuse: it would end the native sessions."""
        raise HsmError("the module belongs to the native code, which alone initialises it")


def _attached(module: Path) -> lib:
    try:
        return _SharedModule(str(module))
    except PKCS11Error as error:
        # p11-kit's client gives whoever asks a state of their own, so this one is not initialised;
        # a module that has one state for all refuses to be, and keeps it.
        try:
            return lib(str(module))
        except PKCS11Error:
            raise HsmError(f"{module}: {_ckr(error)} from C_GetInfo") from error


class Control:
    """A look at the module's slots and tokens; every call may block as long as the module does."""

    def __init__(self, module: Path) -> None:
        """Attach to `module`, which the native code has loaded and initialised."""
        self._path = module
        self._module = _attached(module)

    def slots(self, *, mechanisms: bool = False) -> tuple[SlotInfo, ...]:
        """List every slot, in the module's order."""
        try:
            found = self._module.get_slots()
        except PKCS11Error as error:
            raise HsmError(f"{self._path}: {_ckr(error)} from C_GetSlotList") from error
        return tuple(_describe(slot, mechanisms) for slot in found)

    def select(
        self, *, label: str | None = None, serial: str | None = None, slot: int | None = None
    ) -> SlotInfo:
        """Find the one slot that is meant; TokenAbsent or TokenAmbiguous if there is none."""
        return select(self.slots(), label=label, serial=serial, slot=slot)

    def info(self) -> ModuleInfo:
        """Describe the module with all slots, tokens and mechanisms."""
        return ModuleInfo(
            path=str(self._path),
            manufacturer=self._module.manufacturer_id.strip(),
            description=self._module.library_description.strip(),
            cryptoki_version="{}.{}".format(*self._module.cryptoki_version),
            library_version="{}.{}".format(*self._module.library_version),
            slots=self.slots(mechanisms=True),
        )


def _describe(slot: Slot, mechanisms: bool) -> SlotInfo:
    token: TokenInfo | None = None
    names: tuple[str, ...] = ()
    problem: str | None = None
    try:
        token = _token(slot)
        if mechanisms:
            names = tuple(sorted(_mechanism(each) for each in slot.get_mechanisms()))
    except (TokenNotPresent, TokenNotRecognised):
        pass
    except (PKCS11Error, UnicodeDecodeError) as error:  # one broken slot must not hide the others
        problem = _ckr(error)
    return SlotInfo(
        slot_id=slot.slot_id,
        description=slot.slot_description.strip(),
        manufacturer=slot.manufacturer_id.strip(),
        token=token,
        mechanisms=names,
        problem=problem,
    )


def _token(slot: Slot) -> TokenInfo:
    token = slot.get_token()
    flags = int(token.flags)
    return TokenInfo(
        label=token.label.strip(),
        serial=token.serial.decode("utf-8", "replace").strip("\0 "),
        manufacturer=token.manufacturer_id.strip(),
        model=token.model.strip(),
        flags=tuple(flag.name for flag in TokenFlag if flag.name and flags & flag),
    )


def _mechanism(mechanism: int) -> str:
    name = getattr(mechanism, "name", None)
    return name if isinstance(name, str) else f"0x{mechanism:08X}"


def _ckr(error: Exception) -> str:
    return str(error) or type(error).__name__
