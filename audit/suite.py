"""The suites a log may hash with, by the name that ends the log's own name.

    sha256   the default
    sm3      GB/T 32905-2016, by the linked OpenSSL or else by the library `cryptography`

Neither is certified cryptography: a county that must use a certified product signs with one
(`sm2.py`), and hashes with what the machine has. Whether a machine has SM3 depends on how its
OpenSSL was built, so a suite is tried on a published example before it is given out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SM3, Hash

from audit.tree import SHA256, Suite

SM3_NAME = "sm3"
NAMES = (SHA256.name, SM3_NAME)

_ABC = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
"""SM3 of ``abc``, example 1 of GB/T 32905-2016."""

Digest = Callable[[bytes], bytes]


class NoSuite(ValueError):
    """A suite that nobody knows, or that this machine cannot compute."""


def suite_of(name: str) -> Suite:
    """The suite of that name, tried on a known example. NoSuite."""
    if name == SHA256.name:
        return SHA256
    if name != SM3_NAME:
        raise NoSuite("unknown suite")
    for digest in (_by_openssl, _by_library):
        if _holds(digest):
            return made(SM3_NAME, digest)
    raise NoSuite("this machine has no SM3")


@lru_cache(maxsize=8)
def suite_in(log: str) -> Suite:
    """The suite that the name of a log ends with. NoSuite."""
    return suite_of(log.rpartition("/")[2])


def made(name: str, digest: Digest) -> Suite:
    """A suite of any hash of 32 bytes."""
    return Suite(
        name,
        lambda data: digest(b"\x00" + data),
        lambda left, right: digest(b"\x01" + left + right),
        lambda both: digest(b"\x01" + both),
        digest(b""),
    )


def _holds(digest: Digest) -> bool:
    try:
        return digest(b"abc") == _ABC
    except (ValueError, UnsupportedAlgorithm):
        return False


def _by_openssl(data: bytes) -> bytes:
    return hashlib.new(SM3_NAME, data).digest()


def _by_library(data: bytes) -> bytes:
    one = Hash(SM3())
    one.update(data)
    return one.finalize()
