"""Checkpoints as signed notes: the public formats, byte for byte, and every way to spoil one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.note import (
    BadNote,
    Checkpoint,
    Cosigner,
    Ed25519Signer,
    Fault,
    Note,
    Signature,
    VerifierKey,
    cosigned,
    opened,
    signed,
    stamp_of,
)

NAME = "demo.invalid/hub/test/sha256"
SEED, OTHER = bytes(range(32)), bytes(range(1, 33))
ROOT = bytes(32)

# The example of c2sp.org/signed-note, whose key is published with golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)


def checkpoint(size: int = 7, root: bytes = ROOT) -> Checkpoint:
    return Checkpoint(NAME, size, root)


def key() -> Ed25519Signer:
    return Ed25519Signer(NAME, SEED)


def fault(note: str, *keys: VerifierKey) -> Fault:
    with pytest.raises(BadNote) as caught:
        opened(Note.parse(note), keys)
    return caught.value.fault


def test_the_published_example_verifies_under_its_published_key() -> None:
    note, peter = Note.parse(PETERS), VerifierKey.parse(PETER)
    assert peter.vkey == PETER
    assert peter.key_id.hex() == "c74f20a3"
    assert peter.verifies(note.text, note.signatures[0])
    assert not peter.verifies(note.text + " ", note.signatures[0])
    assert str(note) == PETERS


def test_a_checkpoint_is_three_lines_and_comes_back() -> None:
    one = checkpoint(4711, bytes(range(32)))
    assert one.text == f"{NAME}\n4711\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert Checkpoint.parse(one.text) == one
    assert Checkpoint.parse(one.text + "somebody's extension\n") == one


def test_a_signed_checkpoint_opens_under_its_key_alone() -> None:
    signer, other = key(), Ed25519Signer(NAME, OTHER)
    note = signed(checkpoint(), [signer])
    assert str(note).endswith("=\n")
    assert Note.parse(str(note)) == note
    assert opened(note, [signer.verifier]) == (checkpoint(), note.signatures)
    assert fault(str(note), other.verifier) is Fault.UNKNOWN_SIGNATURE
    assert fault(str(note)) is Fault.UNKNOWN_SIGNATURE


def test_during_a_rotation_two_keys_sign_and_either_opens() -> None:
    old, new = key(), Ed25519Signer(NAME, OTHER)
    note = signed(checkpoint(), [old, new])
    assert len(note.signatures) == 2
    for keys in ([old.verifier], [new.verifier], [old.verifier, new.verifier]):
        assert opened(note, keys)[0] == checkpoint()
    assert len(opened(note, [old.verifier, new.verifier])[1]) == 2


def test_a_changed_text_or_signature_is_told_from_a_missing_one() -> None:
    signer = key()
    note = str(signed(checkpoint(), [signer]))
    assert fault(note.replace("\n7\n", "\n8\n"), signer.verifier) is Fault.BAD_SIGNATURE
    line = note.splitlines()[-1]
    raw = bytearray(base64.b64decode(line.split(" ")[2]))
    raw[20] ^= 1
    bad = note.replace(line.split(" ")[2], base64.b64encode(raw).decode())
    assert fault(bad, signer.verifier) is Fault.BAD_SIGNATURE
    twice = note + line + "\n"
    assert fault(twice, signer.verifier) is Fault.BAD_SIGNATURE


def test_lines_of_strangers_say_nothing_and_hinder_nothing() -> None:
    signer = key()
    note = signed(checkpoint(), [signer])
    strangers = [Signature(f"w{n}.example", bytes(4), bytes(64)) for n in range(15)]
    assert opened(note.with_signatures(strangers), [signer.verifier])[0] == checkpoint()
    many = note.with_signatures([*strangers, Signature("one.more", bytes(4), bytes(64))])
    with pytest.raises(BadNote) as caught:
        Note.parse(str(many))
    assert caught.value.fault is Fault.TOO_MANY_SIGNATURES


def test_a_cosignature_holds_for_its_time_alone() -> None:
    witness = Cosigner("witness.example/1", OTHER)
    one = witness.sign(checkpoint().text, 1_790_000_000)
    assert cosigned("x\n", 5) == b"cosignature/v1\ntime 5\nx\n"
    assert stamp_of(one) == 1_790_000_000
    assert len(one.raw) == 72
    assert witness.verifier.verifies(checkpoint().text, one)
    later = Signature(one.name, one.key_id, (1_790_000_001).to_bytes(8, "big") + one.raw[8:])
    assert not witness.verifier.verifies(checkpoint().text, later)
    # The same key as a log's is another key: a witness's word is no log's.
    assert Ed25519Signer("witness.example/1", OTHER).verifier.key_id != witness.verifier.key_id
    note = signed(checkpoint(), [key()]).with_signatures([one])
    assert len(opened(note, [key().verifier, witness.verifier])[1]) == 2


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "no end of line",
        f"{NAME}\n7\nAAAA\n",
        "text\n\n",
        "text\n\nno mark x08g\n",
        "text\n\n— \n",
        "text\n\n— name\n",
        "text\n\n— name x08g\n",
        "text\n\n— name x08go/ZJ=\n",
        "text\n\n— name+plus x08go/ZJkuBS\n",
        "a\ttab\n\n— name x08go/ZJkuBS\n",
        "carriage\r\n\n— name x08go/ZJkuBS\n",
        "x" * 70_000 + "\n\n— name x08go/ZJkuBS\n",
    ],
)
def test_what_is_no_note_is_malformed(note: str) -> None:
    with pytest.raises(BadNote) as caught:
        Note.parse(note)
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n",
        "origin\n7\n",
        f"\n7\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n07\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n-7\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n٧\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n{'9' * 19}\n{base64.b64encode(ROOT).decode()}\n",
        f"origin\n7\n{base64.b64encode(ROOT[1:]).decode()}\n",
        f"origin\n7\n{base64.b64encode(ROOT).decode()}",
        "origin\n7\n????\n",
        f"origin\n7\n{'A' * 42}B=\n",  # another spelling of the same bytes
    ],
)
def test_what_is_no_checkpoint_is_malformed(text: str) -> None:
    with pytest.raises(BadNote) as caught:
        Checkpoint.parse(text)
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+c74f20a3",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("+AR", "+BR"),
        PETER[:-4],
    ],
)
def test_a_key_that_does_not_fit_is_refused(vkey: str) -> None:
    with pytest.raises(BadNote):
        VerifierKey.parse(vkey)


@given(st.text(max_size=200))
def test_any_text_is_a_note_or_malformed_never_another_error(text: str) -> None:
    try:
        note = Note.parse(text)
    except BadNote:
        return
    assert str(note) == text


@given(
    st.integers(0, 10**17),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_opens_again(size: int, root: bytes, seed: bytes) -> None:
    signer = Ed25519Signer(NAME, seed)
    note = Note.parse(str(signed(Checkpoint(NAME, size, root), [signer])))
    assert opened(note, [VerifierKey.parse(signer.verifier.vkey)])[0] == Checkpoint(
        NAME, size, root
    )
