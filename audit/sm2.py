"""SM2 signatures of checkpoints by an external command (GM/T 0003, GM/T 0009).

The library of our other signatures knows no SM2, and a county that must sign with a certified
device has the key in that device anyway. So the key stays with a command, which reads what is to
be signed on standard input and writes a DER signature to standard output:

    openssl pkeyutl -sign -rawin -digest sm3 -inkey KEY -pkeyopt distid:1234567812345678

is the default; a device's own tool takes its place. The result is an extra signature beside
Ed25519 and no claim of certified cryptography. Verifying calls ``openssl``, too, some 10 ms a
call: with a checkpoint every ten seconds that is cheap enough.
"""

from __future__ import annotations

import base64
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

LONG_ID = b"gm/sm2-sm3/1"
"""Stands after 0xff, where c2sp.org/signed-note wants a name for kinds it does not list."""
POINT_BYTES = 65  # 0x04, x, y
DISTID = "distid:1234567812345678"  # the signer's id that GM/T 0009 sets where none is agreed
CALL_S = 10.0

_SIGN = ("openssl", "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", DISTID)
_VERIFY = ("openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", DISTID)
# SubjectPublicKeyInfo of a point on the curve 1.2.156.10197.1.301, up to the point.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")


class Sm2Error(Exception):
    """The command is not there, did not answer, or refused."""


def with_openssl(key: Path) -> tuple[str, ...]:
    """The command that signs with a PEM file by the machine's openssl."""
    return (*_SIGN, "-inkey", str(key))


def point_of(key: Path) -> bytes:
    """The public point of a PEM file, 65 bytes. Sm2Error."""
    spki = _call(("openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"), b"")
    if not spki.startswith(_SPKI) or len(spki) != len(_SPKI) + POINT_BYTES:
        raise Sm2Error("no key on the curve of SM2")
    return spki[len(_SPKI) :]


def sign(command: Sequence[str], data: bytes) -> bytes:
    """The DER signature that `command` gives. Sm2Error."""
    return _call(command, data)


def verify(point: bytes, data: bytes, signature: bytes) -> bool:
    """Is it a signature of `data` by the holder of `point`? Sm2Error without openssl."""
    pem = base64.encodebytes(_SPKI + point).decode()
    with tempfile.TemporaryDirectory(prefix="hub-sm2-") as name:
        key, signed = Path(name) / "key.pem", Path(name) / "signature"
        key.write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")
        signed.write_bytes(signature)
        done = _run((*_VERIFY, "-pubin", "-inkey", str(key), "-sigfile", str(signed)), data)
    return done.returncode == 0


def _call(command: Sequence[str], data: bytes) -> bytes:
    done = _run(command, data)
    if done.returncode != 0 or not done.stdout:
        raise Sm2Error(f"{command[0]} ended with {done.returncode}")
    return done.stdout


def _run(command: Sequence[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603  the operator's own command
            command, input=data, capture_output=True, timeout=CALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Sm2Error(type(error).__name__) from error
