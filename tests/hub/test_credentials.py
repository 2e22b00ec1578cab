"""Secrets are shown once and kept as hashes; keys and certificates are public or not taken."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey, RSAKey

from hub.identity.credentials import (
    UnfitKey,
    is_secret,
    new_secret,
    public_keys,
    registered_certificate,
    registered_key,
)
from store.clients import ClientKey

EC = ECKey.generate_key("P-256", private=True)
RSA = RSAKey.generate_key(2048, private=True)


def test_a_secret_is_known_by_its_hash_alone() -> None:
    secret, key = new_secret("app", 7)
    assert (key.client, key.kind, key.added_at) == ("app", "secret", 7)
    assert key.material.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert secret not in repr(key)
    assert secret.startswith(f"{key.id}.")
    assert len(secret.partition(".")[2]) == 43  # 256 bits
    assert is_secret([key], secret)
    for wrong in ("", "x", key.id, f"{key.id}.", secret[:-1], secret + "x", secret.upper()):
        assert not is_secret([key], wrong)


def test_of_two_live_secrets_either_is_good_and_a_retired_one_is_not() -> None:
    (first, one), (second, two) = new_secret("app", 1), new_secret("app", 2)
    assert [is_secret([one, two], s) for s in (first, second)] == [True, True]
    retired = ClientKey(one.id, "app", "secret", one.material, 1, live=False)
    assert [is_secret([retired, two], s) for s in (first, second)] == [False, True]


def test_a_spoilt_hash_lets_nobody_in() -> None:
    secret, key = new_secret("app", 1)
    spoilt = ClientKey(key.id, "app", "secret", "rubbish", 1)
    assert not is_secret([spoilt], secret)


@pytest.mark.parametrize("key", [EC, RSA], ids=["EC", "RSA"])
def test_a_public_key_is_taken_as_jwk_and_as_pem(key: ECKey | RSAKey) -> None:
    jwk = json.dumps(key.as_dict(private=False, x5u="https://evil.invalid")).encode()
    pem = key.as_pem(private=False)
    one, other = registered_key("app", jwk, 1), registered_key("app", pem, 1)
    assert one == other
    assert one.id == key.thumbprint()
    assert "evil" not in one.material
    (read,) = public_keys([one])
    assert read.key.thumbprint() == key.thumbprint()
    assert public_keys([ClientKey(one.id, "app", "jwk", one.material, 1, live=False)]) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"{",
        b"[" * 5_000,
        b"{" * 5_000,
        EC.as_pem(private=True),
        RSA.as_pem(private=True),
        json.dumps(EC.as_dict(private=True)).encode(),
        ECKey.generate_key("P-384").as_pem(private=False),
    ],
)
def test_what_is_private_or_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitKey, match="不含私钥") as caught:
        registered_key("app", content, 1)
    assert len(str(caught.value)) < 100


def test_a_certificate_is_its_fingerprint() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(7).not_valid_before(now)
    made = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    found = registered_certificate("app", made.public_bytes(Encoding.PEM), 1)
    digest = made.fingerprint(hashes.SHA256())

    assert found == ClientKey(
        base64.urlsafe_b64encode(digest).decode().rstrip("="), "app", "cert", "", 1
    )
    for wrong in (b"", b"rubbish", made.public_bytes(Encoding.DER), EC.as_pem(private=False)):
        with pytest.raises(UnfitKey, match="PEM 格式的证书"):
            registered_certificate("app", wrong, 1)
