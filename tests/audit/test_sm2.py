"""SM2 beside Ed25519: signed and verified by an external command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from audit.note import (
    NAMED,
    BadNote,
    Checkpoint,
    Ed25519Signer,
    Fault,
    Note,
    Signature,
    Sm2Signer,
    VerifierKey,
    opened,
    signed,
)
from audit.sm2 import LONG_ID, Sm2Error, point_of, sign, verify, with_openssl

NAME = "demo.invalid/hub/test/sm3"
CHECKPOINT = Checkpoint(NAME, 4711, bytes(range(32)))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sm2") / "sm2.pem"
    make = ["openssl", "ecparam", "-name", "SM2", "-genkey", "-noout", "-out", str(file)]
    try:
        subprocess.run(make, check=True, capture_output=True)
        verify(point_of(file), b"data", sign(with_openssl(file), b"data"))
    except (OSError, subprocess.CalledProcessError, Sm2Error) as error:
        pytest.skip(f"this machine's openssl has no SM2: {error}")
    return file


@pytest.fixture(scope="module")
def signer(key: Path) -> Sm2Signer:
    return Sm2Signer(NAME, point_of(key), with_openssl(key))


def test_a_note_is_signed_with_both_and_opens_with_either(signer: Sm2Signer) -> None:
    plain = Ed25519Signer(NAME, b"s" * 32)
    note = Note.parse(str(signed(CHECKPOINT, [plain, signer])))
    for keys, count in (([plain.verifier], 1), ([signer.verifier], 1)):
        checkpoint, held = opened(note, keys)
        assert (checkpoint, len(held)) == (CHECKPOINT, count)
    assert len(opened(note, [plain.verifier, signer.verifier])[1]) == 2


def test_the_key_is_written_and_read_with_its_long_name(signer: Sm2Signer) -> None:
    key = signer.verifier
    assert (key.kind, key.public[: len(LONG_ID)]) == (NAMED, b"gm/sm2-sm3/1")
    assert VerifierKey.parse(key.vkey) == key


def test_another_text_another_key_and_a_cut_signature_do_not_hold(
    signer: Sm2Signer, tmp_path: Path
) -> None:
    held = signer.sign(CHECKPOINT.text)
    assert signer.verifier.verifies(CHECKPOINT.text, held)
    assert not signer.verifier.verifies(CHECKPOINT.text + " ", held)
    cut = Signature(held.name, held.key_id, held.raw[:-1])
    assert not signer.verifier.verifies(CHECKPOINT.text, cut)
    file = tmp_path / "other.pem"
    make = ["openssl", "ecparam", "-name", "SM2", "-genkey", "-noout", "-out", str(file)]
    subprocess.run(make, check=True, capture_output=True)
    other = Sm2Signer(NAME, point_of(file), with_openssl(file))
    assert not other.verifier.verifies(CHECKPOINT.text, held)
    with pytest.raises(BadNote) as caught:
        opened(signed(CHECKPOINT, [other]), [signer.verifier])
    assert caught.value.fault is Fault.UNKNOWN_SIGNATURE


def test_a_command_that_fails_or_is_not_there_is_told(tmp_path: Path) -> None:
    for command in (["false"], ["true"], [str(tmp_path / "nothing")]):
        with pytest.raises(Sm2Error):
            sign(command, b"data")


def test_a_key_of_another_curve_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "p256.pem"
    make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(file)]
    subprocess.run(make, check=True, capture_output=True)
    with pytest.raises(Sm2Error):
        point_of(file)


@pytest.mark.parametrize("public", [b"", LONG_ID, LONG_ID + b"\x05" * 65, b"x/y" + b"\x04" * 65])
def test_a_named_key_of_another_kind_is_refused(public: bytes) -> None:
    with pytest.raises(BadNote):
        VerifierKey(NAME, NAMED, public)
