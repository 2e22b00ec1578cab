"""What a machine client proves itself with: secrets, public keys, certificates.

A secret is ``id.random``: the id finds its hash, so that a wrong secret costs one argon2id at
most, and one with an unknown id nothing. It has 256 bits of chance: the hash need not be dear to
withstand guessing, only to keep the table useless to whoever reads it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from catalog.errors import Readable
from hub.identity.jwks import PublicKey, public_key
from hub.identity.proxies import fingerprint
from store.clients import CERT, JWK, SECRET, ClientKey

SECRET_BYTES = 32
ID_BYTES = 6
# OWASP's smallest setting, 20 ms: several may be checked at once beside the answering of questions.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class UnfitKey(Readable):
    """A file holds no key that can be registered. One Chinese line; never content."""


def new_secret(client: str, now: int) -> tuple[str, ClientKey]:
    """A secret to be shown once, and what is kept of it; `now` µs since 1970."""
    name = secrets.token_hex(ID_BYTES)
    secret = f"{name}.{secrets.token_urlsafe(SECRET_BYTES)}"
    return secret, ClientKey(name, client, SECRET, HASHER.hash(secret), now)


def is_secret(keys: Iterable[ClientKey], secret: str) -> bool:
    """Is this one of the live secrets? Takes 20 ms if its id is."""
    name = secret.partition(".")[0]
    for key in keys:
        if key.live and key.kind == SECRET and key.id == name:
            try:
                return HASHER.verify(key.material, secret)
            except (Argon2Error, InvalidHashError):
                return False
    return False


def public_keys(keys: Iterable[ClientKey]) -> tuple[PublicKey, ...]:
    """The live registered public keys."""
    made = [public_key(json.loads(k.material)) for k in keys if k.live and k.kind == JWK]
    return tuple(key for key in made if key is not None)


def registered_key(client: str, content: bytes, now: int) -> ClientKey:
    """A public key to be registered, of a JWK or a PEM file. UnfitKey."""
    try:
        jwk = json.loads(content) if content.lstrip().startswith(b"{") else _of_pem(content)
    except (ValueError, RecursionError, JoseError):
        jwk = None
    found = public_key(jwk)
    if found is None:
        raise UnfitKey(
            "公钥文件不能登记：须是 RSA（2048 位以上）或 P-256 的公钥，JWK 或 PEM 格式，不含私钥"
        )
    plain = found.key.as_dict(private=False)
    members = {name: plain[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in plain}
    material = json.dumps(members, sort_keys=True)
    return ClientKey(found.key.thumbprint(), client, JWK, material, now)


def registered_certificate(client: str, content: bytes, now: int) -> ClientKey:
    """A certificate to be registered, of a PEM file. UnfitKey."""
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError:
        raise UnfitKey("证书文件不能登记：须是 PEM 格式的证书") from None
    der = certificate.public_bytes(Encoding.DER)
    return ClientKey(fingerprint(der), client, CERT, "", now)


def digest(text: str) -> str:
    """A text as a word for a table: it cannot be read back."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _of_pem(content: bytes) -> dict[str, object] | None:
    if b"PRIVATE" in content:
        return None
    for kind in (RSAKey, ECKey):
        try:
            key = kind.import_key(content)
        except (JoseError, ValueError, TypeError):
            continue
        return dict(key.as_dict(private=False))
    return None
