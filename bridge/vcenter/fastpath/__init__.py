"""Exchanges by a Protocol of our own, on connections that aiohttp's connector makes.

aiohttp resolves, connects and speaks TLS; requests and replies go past its client, which costs
several times what the rest of an exchange does.
"""

from bridge.vcenter.fastpath.fastpath import FastPath
from bridge.vcenter.fastpath.versions import is_tested_with

__all__ = ["FastPath", "is_tested_with"]
