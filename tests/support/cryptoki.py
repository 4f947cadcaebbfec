"""A PKCS#11 module through ctypes: just enough to ask it for random bytes, and for its errors."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CKF_OS_LOCKING_OK = 2
CKF_SERIAL_SESSION = 4
CKU_USER = 1
CKR_OK = 0x00
CKR_SLOT_ID_INVALID = 0x03
CKR_GENERAL_ERROR = 0x05
CKR_ARGUMENTS_BAD = 0x07
CKR_CANT_LOCK = 0x0A
CKR_DEVICE_ERROR = 0x30
CKR_DEVICE_REMOVED = 0x32
CKR_FUNCTION_NOT_SUPPORTED = 0x54
CKR_PIN_INCORRECT = 0xA0
CKR_SESSION_HANDLE_INVALID = 0xB3
CKR_TOKEN_NOT_PRESENT = 0xE0
CKR_USER_ALREADY_LOGGED_IN = 0x100
CKR_USER_NOT_LOGGED_IN = 0x101
CKR_RANDOM_NO_RNG = 0x121
CKR_BUFFER_TOO_SMALL = 0x150
CKR_CRYPTOKI_NOT_INITIALIZED = 0x190
CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191

# Places in the function list of PKCS #11 v2.40.
PLACES = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_GetSlotList": 4,
    "C_GetTokenInfo": 6,
    "C_InitToken": 9,
    "C_OpenSession": 12,
    "C_CloseSession": 13,
    "C_CloseAllSessions": 14,
    "C_Login": 18,
    "C_Logout": 19,
    "C_GenerateRandom": 64,
    "C_WaitForSlotEvent": 67,
}
N_FUNCTIONS = 68


class _FunctionList(ctypes.Structure):
    _fields_ = (("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * N_FUNCTIONS))


class InitializeArgs(ctypes.Structure):
    _fields_ = (
        ("mutex_functions", ctypes.c_void_p * 4),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class Cryptoki:
    """A loaded module; call() returns the CKR, the others assert CKR_OK."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        pointer = ctypes.POINTER(_FunctionList)()
        assert self._library.C_GetFunctionList(ctypes.byref(pointer)) == CKR_OK
        self.list = pointer.contents

    def call(self, name: str, *arguments: object) -> int:
        prototype = ctypes.CFUNCTYPE(ctypes.c_ulong, *[_type_of(value) for value in arguments])
        return prototype(self.list.functions[PLACES[name]])(*arguments)

    def initialize(self, flags: int = CKF_OS_LOCKING_OK) -> int:
        return self.call("C_Initialize", ctypes.pointer(InitializeArgs(flags=flags)))

    def open_session(self, slot: int = 0) -> int:
        handle = ctypes.c_ulong()
        arguments = (slot, CKF_SERIAL_SESSION, None, None, ctypes.pointer(handle))
        assert self.call("C_OpenSession", *arguments) == CKR_OK
        return handle.value

    def random_into(self, session: int, buffer: bytearray) -> int:
        array = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        return self.call(
            "C_GenerateRandom", session, ctypes.cast(array, ctypes.c_void_p), len(buffer)
        )

    def random(self, session: int, n_bytes: int) -> bytes:
        buffer = bytearray(n_bytes)
        assert self.random_into(session, buffer) == CKR_OK
        return bytes(buffer)

    def login(self, session: int, pin: str) -> int:
        return self.call("C_Login", session, CKU_USER, pin.encode(), len(pin))


@contextmanager
def initialised(path: Path) -> Iterator[Cryptoki]:
    """A module between C_Initialize and C_Finalize."""
    module = Cryptoki(path)
    assert module.initialize() == CKR_OK
    try:
        yield module
    finally:
        module.call("C_Finalize", None)


def _type_of(value: object) -> type:
    match value:
        case int():
            return ctypes.c_ulong
        case bytes():
            return ctypes.c_char_p
        case _:
            return ctypes.c_void_p
