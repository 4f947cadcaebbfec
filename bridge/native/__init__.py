"""The typed face over the C library; the only package that imports cffi."""

from bridge.native.base64 import base64_encode_into, base64_kernels
from bridge.native.memory import secure_memory, wipe
from bridge.native.process import harden_process
from bridge.native.soft_token import softtoken_path

__all__ = [
    "base64_encode_into",
    "base64_kernels",
    "harden_process",
    "secure_memory",
    "softtoken_path",
    "wipe",
]
