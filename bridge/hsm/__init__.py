# SPDX-License-Identifier: Apache-2.0
"""The control plane: what a PKCS#11 module has to offer, and which of its tokens is meant."""

from bridge.hsm.records import ModuleInfo, SlotInfo, TokenInfo
from bridge.hsm.selection import HsmError, TokenAbsent, TokenAmbiguous, select

__all__ = [
    "HsmError",
    "ModuleInfo",
    "SlotInfo",
    "TokenAbsent",
    "TokenAmbiguous",
    "TokenInfo",
    "select",
]
