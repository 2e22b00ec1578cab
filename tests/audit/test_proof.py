"""Proofs as texts, and receipts that they prove."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.note import BadNote, Checkpoint, Cosigner, Ed25519Signer, Fault, Note, signed
from audit.proof import BadProof, Kept, Proof, lines_of
from audit.tree import consistency, inclusion, leaf, root_of

LOG = "demo.invalid/hub/test/sha256"
KEY = Ed25519Signer(LOG, bytes(range(32)))
OTHER = Ed25519Signer(LOG, bytes(32))
LEAVES = [leaf(str(n).encode()) for n in range(7)]


def _note(size: int, origin: str = LOG) -> Note:
    return signed(Checkpoint(origin, size, root_of(LEAVES[:size])), (KEY,))


def _proof(index: int, size: int = 7, **more: bytes) -> Proof:
    return Proof(index, tuple(inclusion(LEAVES[:size], index)), _note(size), **more)


def _kept(**changed: object) -> dict[str, object]:
    return {"idx": 5, "leaf": LEAVES[5].hex(), "log": LOG, **changed}


def test_the_text_is_that_of_the_specification() -> None:
    proof = _proof(6, extra=b"hub")
    note = str(proof.note)
    first, second, *_ = note.split("\n")
    assert (first, second) == (LOG, "7")
    siblings = lines_of(proof.hashes)
    assert siblings.count("\n") == 2
    assert str(proof) == f"c2sp.org/tlog-proof@v1\nextra aHVi\nindex 6\n{siblings}\n{note}"
    assert str(_proof(0, 1)) == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{_note(1)}"


@given(st.integers(1, 7).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
@settings(max_examples=40)
def test_a_proof_reads_as_it_was_written_and_leads_to_the_root(case: tuple[int, int]) -> None:
    index, size = case
    proof = _proof(index, size)
    assert Proof.parse(str(proof)) == proof
    found = proof.checkpoint(LEAVES[index], [KEY.verifier])
    assert found == Checkpoint(LOG, size, root_of(LEAVES[:size]))
    assert proof.checkpoint(leaf(b"other"), [KEY.verifier]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\n\n" + str(_note(1)),
        str(_proof(5)).replace("@v1", "@v2"),
        str(_proof(5)).replace("index 5", "index 05"),
        str(_proof(5)).replace("index 5", "index -5"),
        str(_proof(5)).replace("index 5\n", "index 5\nAAAA\n"),
        str(_proof(5)).replace("index 5\n", "index 5\n!\n"),
        str(_proof(5)).replace("index 5\n", "extra a\nindex 5\n"),
        str(_proof(5)).replace("index 5\n", "index 5\n" + lines_of(LEAVES[:1] * 61)),
        str(_proof(5)) + "\n" * 200_000,
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises((BadProof, BadNote)):
        Proof.parse(text)


def test_a_receipt_or_an_answer_that_holds_one() -> None:
    kept = Kept.parse(_kept())
    assert kept == Kept.parse({"data": {}, "extensions": {"audit": _kept()}})
    assert kept.proved(_proof(5), [KEY.verifier]) == Checkpoint(LOG, 7, root_of(LEAVES))


@pytest.mark.parametrize(
    "changed",
    [{"idx": 4}, {"leaf": LEAVES[4].hex()}, {"log": "demo.invalid/hub/other/sha256"}],
)
def test_a_proof_of_another_record_proves_nothing(changed: dict[str, object]) -> None:
    kept = Kept.parse(_kept(**changed)) if "idx" not in changed else Kept(4, LEAVES[5], LOG)
    assert kept.proved(_proof(5), [KEY.verifier]) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"extensions": {}},
        {"extensions": None},
        {**_kept(), "idx": True},
        {**_kept(), "idx": -1},
        {**_kept(), "leaf": "AB" * 32},
        {**_kept(), "leaf": "ab"},
        {**_kept(), "log": 1},
    ],
)
def test_what_is_no_receipt_is_refused(told: object) -> None:
    with pytest.raises(BadProof):
        Kept.parse(told)


def test_only_a_known_key_counts() -> None:
    kept, proof = Kept.parse(_kept()), _proof(5)
    with pytest.raises(BadNote) as found:
        kept.proved(proof, [OTHER.verifier])
    assert found.value.fault is Fault.UNKNOWN_SIGNATURE
    witness = Cosigner("witness.invalid", bytes(32))
    more = proof.note.with_signatures((witness.sign(proof.note.text, 1_700_000_000),))
    assert kept.proved(Proof(5, proof.hashes, more), [KEY.verifier]) is not None


def test_hashes_are_lines() -> None:
    assert lines_of(consistency(LEAVES, 4)).count("\n") == 1
    assert lines_of([bytes(32)]) == "A" * 43 + "=\n"
