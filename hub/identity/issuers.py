"""An outside issuer of tokens as the settings name it: ``[issuers]`` in docs/operations.md.

    issuers.mca = "iss=https://sso.example.cn jwks=https://sso.example.cn/jwks dept=mca"

Words between blanks, in any order. ``iss`` and ``jwks`` are needed. ``aud`` is the hub's own
audience unless named; ``account`` is the claim that holds the account, ``sub`` unless named;
``dept`` lets the issuer name accounts of one department alone: without it, it may name any.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

WORDS = ("iss", "jwks", "aud", "account", "dept")
NEEDED = ("iss", "jwks")
_ADDRESS = re.compile(r"https?://[^\s/@?#]+(?:/[^\s#@]*)?\Z")
_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}\Z")
_DEPT = re.compile(r"[a-z][a-z0-9_]{1,31}\Z")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken, where its keys are, which claim holds the account."""

    iss: str
    jwks: str
    aud: str = ""
    account: str = "sub"
    dept: str = ""

    @classmethod
    def parse(cls, text: str) -> Issuer:
        """ValueError for an unknown, missing or doubled word, or an address that is not safe."""
        found: dict[str, str] = {}
        for word in text.split():
            name, _, value = word.partition("=")
            if name not in WORDS or name in found or not value:
                raise ValueError("no such word")
            found[name] = value
        if not all(name in found for name in NEEDED) or not is_safe(found["jwks"]):
            raise ValueError("no issuer")
        made = cls(**found)
        if not _CLAIM.match(made.account) or (made.dept and not _DEPT.match(made.dept)):
            raise ValueError("no claim, no department")
        return made

    def __str__(self) -> str:
        """As it may be written again."""
        said = {name: getattr(self, name) for name in WORDS}
        return " ".join(f"{name}={value}" for name, value in said.items() if value)


def is_safe(address: str) -> bool:
    """https, or http on this machine: nobody on the way can put his own key in."""
    if not _ADDRESS.match(address):
        return False
    parts = urlsplit(address)
    if parts.scheme == "https":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
