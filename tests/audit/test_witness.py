"""A witness's judgement: every case of the specification, and what is kept as evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.note import (
    BadNote,
    Checkpoint,
    Cosigner,
    Ed25519Signer,
    Note,
    base64_of,
    opened,
    signed,
)
from audit.tree import EMPTY_ROOT
from audit.witness import (
    BODY_BYTES,
    PROOF_LINES,
    Answer,
    Evidence,
    Judgement,
    Refused,
    Submission,
    judged,
    nothing_seen,
    recognised,
    told_size,
)
from tests.witness.signed_log import ORIGIN, SignedLog

LOG = SignedLog().grow(70)
KEYS = {ORIGIN: (LOG.signer.verifier,)}
HASH = "qJWaeBEGjcM5Y4ImPRYa2iGpSmeCn/I2dH6R1jDZBnY="

# The request printed in the specification; its log's key is not published.
EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gG\
zGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UE\
jw6QUXTS5Rovnzv++qbSzm9Q=
"""


def refusal(body: bytes) -> Answer:
    with pytest.raises(Refused) as refused:
        recognised(Submission.parse(body), KEYS)
    return refused.value.answer


def decided(old: int, size: int, log: SignedLog = LOG, seen: int = 20) -> Judgement:
    """The judgement of a witness that has signed LOG's checkpoint of size `seen`."""
    submission = log.submission(old, size)
    new, _ = recognised(submission, KEYS)
    known = LOG.checkpoint(seen) if seen else nothing_seen(ORIGIN)
    return judged(known, new, submission)


def test_the_specifications_example_is_read_and_written_byte_for_byte() -> None:
    submission = Submission.parse(EXAMPLE.encode())
    assert submission.old == 20852014
    assert len(submission.proof) == 4
    assert Checkpoint.parse(submission.note.text).size == 20852163
    assert str(submission) == EXAMPLE
    assert refusal(EXAMPLE.encode()) is Answer.UNKNOWN_LOG


@pytest.mark.parametrize(
    ("first", "proof"),
    [
        ("", ()),
        ("old", ()),
        ("old ", ()),
        ("old  3", ()),
        ("old 03", ()),
        ("old -1", ()),
        ("old 3 ", ()),
        ("old +3", ()),
        ("old ٣", ()),
        ("old 1234567890123456789", ()),
        ("Old 3", ()),
        ("old 3\r", ()),
        ("old 3", ("",)),
        ("old 3", (HASH + " ",)),
        ("old 3", (HASH[:-1],)),
        ("old 3", (HASH.replace("=", ""),)),
        ("old 3", (HASH[:-2] + "Z=",)),  # the same 32 bytes, spelt otherwise
        ("old 3", ("AAAA",)),
        ("old 3", ("€",)),
        ("old 3", (HASH,) * (PROOF_LINES + 1)),
    ],
)
def test_what_is_no_request_is_malformed(first: str, proof: tuple[str, ...]) -> None:
    body = "\n".join((first, *proof)) + f"\n\n{LOG.note(40)}"
    assert refusal(body.encode()) is Answer.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 3",
        b"old 3\n",
        b"old 3\n\n",
        b"old 3\n\n\xff\n",
        str(LOG.submission(20, 40)).encode()[:-1],  # no newline at its end
        str(LOG.submission(20, 40)).encode() + b"\n",
        str(LOG.submission(20, 40)).encode().replace(b"\n\n", b"\n"),
        str(LOG.submission(20, 40)).encode().replace(b"\n40\n", b"\n040\n"),
        str(LOG.submission(20, 40)).encode().replace(b"\n40\n", b"\n40\n\n"),
    ],
)
def test_a_broken_request_is_malformed(body: bytes) -> None:
    assert refusal(body) is Answer.MALFORMED


def test_a_checkpoint_of_more_than_sixteen_signatures_is_malformed() -> None:
    others = [Ed25519Signer(f"other/{n}", bytes([n] * 32)) for n in range(16)]
    note = signed(LOG.checkpoint(40), [LOG.signer, *others])
    assert refusal(f"old 20\n\n{note}".encode()) is Answer.MALFORMED
    fewer = Note(note.text, note.signatures[:16])
    checkpoint, kept = recognised(Submission.parse(f"old 20\n\n{fewer}".encode()), KEYS)
    assert (checkpoint.size, kept.signatures) == (40, note.signatures[:1])  # unknown: ignored


def test_the_longest_request_that_is_taken_is_within_the_bound() -> None:
    longest = Submission(10**18 - 1, (bytes(32),) * PROOF_LINES, LOG.note(40))
    head = len(str(longest).encode()) - len(str(LOG.note(40)).encode())
    assert head <= BODY_BYTES - 64 * 1024


def test_an_unknown_log_is_not_found_before_its_signature_is_looked_at() -> None:
    stranger = SignedLog("other.invalid/log", bytes(32)).grow(5)
    assert refusal(stranger.body(0, 5)) is Answer.UNKNOWN_LOG


def test_no_signature_by_a_known_key_is_forbidden() -> None:
    other_key = SignedLog(seed=bytes(32)).grow(40)
    assert refusal(other_key.body(0, 40)) is Answer.NOT_SIGNED
    spoilt = str(LOG.submission(20, 40)).replace("\n40\n", "\n41\n")
    assert refusal(spoilt.encode()) is Answer.NOT_SIGNED


def test_a_signature_of_an_unknown_key_beside_a_known_one_is_ignored() -> None:
    note = signed(LOG.checkpoint(40), [Ed25519Signer(ORIGIN, bytes(32)), LOG.signer])
    submission = replace(LOG.submission(20, 40), note=note)
    _, kept = recognised(submission, KEYS)
    assert kept.signatures == note.signatures[1:]


def test_a_log_of_two_keys_is_known_by_either() -> None:
    new = Ed25519Signer(ORIGIN, bytes(range(1, 33)))
    keys = {ORIGIN: (LOG.signer.verifier, new.verifier)}
    for signer in (LOG.signer, new):
        note = signed(LOG.checkpoint(40), [signer])
        checkpoint, _ = recognised(replace(LOG.submission(20, 40), note=note), keys)
        assert checkpoint.size == 40


def test_an_old_size_above_the_new_one_is_malformed() -> None:
    assert refusal(LOG.body(41, 40)) is Answer.MALFORMED


def test_an_extension_is_taken_and_signed_with_the_rest() -> None:
    text = LOG.checkpoint(40).text + "an extension\n"
    note = Note(text, (LOG.signer.sign(text),))
    _, kept = recognised(replace(LOG.submission(20, 40), note=note), KEYS)
    assert kept.text.endswith("an extension\n")


@pytest.mark.parametrize("old", [0, 10, 19, 21, 40])
def test_an_old_size_that_is_not_the_witness_s_conflicts(old: int) -> None:
    assert decided(old, 40) == Judgement(Answer.CONFLICT)


@pytest.mark.parametrize("size", [21, 32, 40, 64, 70])
def test_a_continuation_is_cosigned(size: int) -> None:
    assert decided(20, size) == Judgement(Answer.COSIGNED)


def test_the_first_checkpoint_of_a_log_is_cosigned_without_proof() -> None:
    assert decided(0, 40, seen=0) == Judgement(Answer.COSIGNED)
    assert decided(0, 0, seen=0) == Judgement(Answer.COSIGNED)


def test_the_first_checkpoint_has_no_proof() -> None:
    submission = replace(LOG.submission(0, 40), proof=(bytes(32),))
    found = judged(nothing_seen(ORIGIN), LOG.checkpoint(40), submission)
    assert found == Judgement(Answer.NOT_PROVED, Evidence.PROOF)


def test_an_empty_tree_has_one_root() -> None:
    empty = signed(Checkpoint(ORIGIN, 0, bytes(32)), [LOG.signer])
    found = judged(nothing_seen(ORIGIN), Checkpoint(ORIGIN, 0, bytes(32)), Submission(0, (), empty))
    assert found == Judgement(Answer.CONFLICT, Evidence.FORK)
    assert nothing_seen(ORIGIN).root == EMPTY_ROOT


def test_the_same_checkpoint_again_is_cosigned_again() -> None:
    assert decided(20, 20) == Judgement(Answer.COSIGNED)


def test_another_root_for_the_same_size_conflicts_and_convicts() -> None:
    assert decided(20, 20, LOG.forked(7, 30)) == Judgement(Answer.CONFLICT, Evidence.FORK)
    # It does so whatever the request says of the past.
    assert decided(3, 20, LOG.forked(7, 30)) == Judgement(Answer.CONFLICT, Evidence.FORK)


def test_a_log_that_does_not_continue_is_not_proved() -> None:
    assert decided(20, 30, LOG.forked(7, 30)) == Judgement(Answer.NOT_PROVED, Evidence.PROOF)


@pytest.mark.parametrize("change", [0, 1, 2])
def test_a_spoilt_proof_does_not_verify(change: int) -> None:
    honest = LOG.submission(20, 40)
    spoilt = [
        honest.proof[:-1],
        (*honest.proof, bytes(32)),
        (bytes(32), *honest.proof[1:]),
    ][change]
    found = judged(LOG.checkpoint(20), LOG.checkpoint(40), replace(honest, proof=spoilt))
    assert found == Judgement(Answer.NOT_PROVED, Evidence.PROOF)


def test_a_proof_where_none_belongs_shows_nothing() -> None:
    needless = replace(LOG.submission(20, 20), proof=(bytes(32),))
    found = judged(LOG.checkpoint(20), LOG.checkpoint(20), needless)
    assert found == Judgement(Answer.NOT_PROVED)


@given(st.integers(0, 70), st.integers(0, 70), st.integers(0, 70))
def test_only_a_continuation_of_what_was_seen_is_ever_cosigned(
    seen: int, old: int, size: int
) -> None:
    if old > size:
        assert refusal(LOG.body(old, size)) is Answer.MALFORMED
        return
    expected = Answer.COSIGNED if old == seen else Answer.CONFLICT
    assert decided(old, size, seen=seen) == Judgement(expected)


@given(st.integers(1, 40), st.integers(0, 39), st.integers(0, 30))
def test_a_fork_before_what_was_seen_is_never_cosigned(seen: int, at: int, further: int) -> None:
    fork = LOG.forked(min(at, seen - 1), seen + further)
    assert decided(seen, seen + further, fork, seen).answer is not Answer.COSIGNED


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        Submission.parse(body)


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_changed_byte_is_taken_for_the_log_s_word(place: int, byte: int) -> None:
    whole = bytearray(LOG.body(20, 40))
    if whole[place % len(whole)] == byte:
        return
    whole[place % len(whole)] = byte
    try:
        submission = Submission.parse(bytes(whole))
        new, _ = recognised(submission, KEYS)
    except Refused:
        return
    assert new == LOG.checkpoint(40)  # what was changed is the proof or the old size
    assert judged(LOG.checkpoint(20), new, submission).answer is not Answer.COSIGNED


def test_a_cosignature_verifies_under_the_witness_s_key_alone() -> None:
    witness, other = Cosigner("w.invalid/1", bytes(32)), Cosigner("w.invalid/2", bytes([1] * 32))
    note = LOG.note(40).with_signatures([witness.sign(LOG.note(40).text, 1_700_000_000)])
    assert opened(note, (witness.verifier,))[0] == LOG.checkpoint(40)
    with pytest.raises(BadNote):
        opened(note, (other.verifier,))


@pytest.mark.parametrize(
    ("kind", "body", "size"),
    [
        ("text/x.tlog.size", b"20\n", 20),
        ("text/x.tlog.size; charset=utf-8", b"0\n", 0),
        ("text/plain", b"20\n", None),
        ("", b"20\n", None),
        ("text/x.tlog.size", b"20", None),
        ("text/x.tlog.size", b"020\n", None),
        ("text/x.tlog.size", b"-1\n", None),
        ("text/x.tlog.size", b"20\n\n", None),
        ("text/x.tlog.size", b"9" * 19 + b"\n", None),
        ("text/x.tlog.size", b"\xd9\xa3\n", None),
    ],
)
def test_a_told_size_is_read_strictly(kind: str, body: bytes, size: int | None) -> None:
    assert told_size(kind, body) == size


def test_base64_of_a_root_is_that_of_the_checkpoint() -> None:
    assert LOG.checkpoint(40).text.split("\n")[2] == base64_of(LOG.checkpoint(40).root)
