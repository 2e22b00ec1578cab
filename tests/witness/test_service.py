"""The witness over HTTP beside the text of c2sp.org/tlog-witness, sentence by sentence."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from audit.note import COSIGNATURE, Note, VerifierKey, opened, stamp_of
from audit.witness import BODY_BYTES
from hub.witness.record import evidence
from tests.witness.office import Office, add
from tests.witness.signed_log import SignedLog

pytestmark = pytest.mark.loopback

PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
CLIENTS = 32


def post(witness: httpx.Client, body: bytes) -> tuple[int, str, str]:
    """Status, content type and body of the answer."""
    answer = witness.post("/add-checkpoint", content=body)
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.headers["content-type"], answer.text


def cosigned(answer: tuple[int, str, str], log: SignedLog, size: int, key: VerifierKey) -> int:
    """Checks a 200: nothing but our line, and it holds. The time it says."""
    status, kind, lines = answer
    assert (status, kind) == (200, PLAIN)
    text = log.note(size).text
    note = Note.parse(f"{text}\n{lines}")
    checkpoint, signatures = opened(note, (key,))
    assert checkpoint == log.checkpoint(size)
    assert len(lines.splitlines()) == len(signatures) == 1
    assert lines == signatures[0].line
    assert lines.startswith(f"— {key.name} ")
    assert key.kind == COSIGNATURE
    assert len(signatures[0].raw) == 8 + 64
    return stamp_of(signatures[0])


def test_a_new_checkpoint_is_cosigned_with_the_time(
    witness: httpx.Client, log: SignedLog, key: VerifierKey
) -> None:
    log.grow(30)
    before = int(time.time())
    stamp = cosigned(post(witness, log.body(0, 12)), log, 12, key)
    assert before <= stamp <= time.time()
    cosigned(post(witness, log.body(12, 30)), log, 30, key)


def test_the_same_checkpoint_may_be_sent_again(
    witness: httpx.Client, log: SignedLog, key: VerifierKey
) -> None:
    log.grow(12)
    for old in (0, 12, 12):
        cosigned(post(witness, log.body(old, 12)), log, 12, key)


def test_an_unknown_log_is_404(witness: httpx.Client) -> None:
    stranger = SignedLog("other.invalid/log").grow(3)
    assert post(witness, stranger.body(0, 3)) == (404, PLAIN, "unknown log\n")


def test_without_a_signature_of_the_log_it_is_403(witness: httpx.Client, log: SignedLog) -> None:
    foreign = SignedLog(log.origin, bytes(32)).grow(3)
    said = "no signature by a known key of this log\n"
    assert post(witness, foreign.body(0, 3)) == (403, PLAIN, said)


def test_an_old_size_above_the_checkpoint_is_400(witness: httpx.Client, log: SignedLog) -> None:
    log.grow(12)
    assert post(witness, log.body(13, 12)) == (400, PLAIN, "malformed request\n")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\nx\n1\ny\n\n\xe2\x80\x94 x y\n",
        b"\xff\xfe",
        b"old 0\n" + b"A" * 99,
    ],
)
def test_what_is_no_request_is_400(witness: httpx.Client, body: bytes) -> None:
    assert post(witness, body) == (400, PLAIN, "malformed request\n")


def test_sixty_four_proof_lines_are_400_and_sixty_three_are_judged(
    witness: httpx.Client, log: SignedLog
) -> None:
    log.grow(12)
    post(witness, log.body(0, 5))
    honest = log.submission(5, 12)
    longest = str(replace(honest, proof=(bytes(32),) * 63)).encode()
    assert post(witness, longest)[0] == 422
    too_long = str(replace(honest, proof=(bytes(32),) * 64)).encode()
    assert post(witness, too_long) == (400, PLAIN, "malformed request\n")


def test_another_old_size_is_409_with_the_size_held(
    witness: httpx.Client, log: SignedLog, key: VerifierKey
) -> None:
    log.grow(30)
    assert post(witness, log.body(7, 12)) == (409, SIZE, "0\n")
    cosigned(post(witness, log.body(0, 12)), log, 12, key)
    for old in (0, 11, 13, 30):
        assert post(witness, log.body(old, 30)) == (409, SIZE, "12\n")
    cosigned(post(witness, log.body(12, 30)), log, 30, key)  # as it was told


def test_a_smaller_checkpoint_never_takes_it_back(witness: httpx.Client, log: SignedLog) -> None:
    log.grow(30)
    post(witness, log.body(0, 30))
    assert post(witness, log.body(0, 12)) == (409, SIZE, "30\n")
    assert post(witness, log.body(30, 12))[0] == 400


def test_the_same_size_with_another_root_is_409_and_kept(
    witness: httpx.Client, log: SignedLog, office: Office
) -> None:
    log.grow(12)
    post(witness, log.body(0, 12))
    fork = log.forked(7, 12)
    assert post(witness, fork.body(12, 12)) == (409, SIZE, "12\n")
    (piece,) = [p for p in evidence(office.file) if p.origin == log.origin]
    assert (piece.kind, piece.size, piece.root) == ("FORK", 12, fork.checkpoint(12).root)
    assert piece.request.encode() == fork.body(12, 12)
    # Both notes are signed by the log: whoever has the file can show that it contradicts itself.
    for text in (piece.beside, piece.request.partition("\n\n")[2]):
        opened(Note.parse(text), (log.signer.verifier,))


def test_a_proof_that_does_not_verify_is_422_and_nothing_moves(
    witness: httpx.Client, log: SignedLog, office: Office, key: VerifierKey
) -> None:
    log.grow(30)
    post(witness, log.body(0, 12))
    said = "the consistency proof does not verify\n"
    assert post(witness, log.forked(7, 30).body(12, 30)) == (422, PLAIN, said)
    needless = replace(log.submission(12, 12), proof=(bytes(32),))
    assert post(witness, str(needless).encode()) == (422, PLAIN, said)
    kinds = [p.kind for p in evidence(office.file) if p.origin == log.origin]
    assert kinds == ["PROOF"]
    cosigned(post(witness, log.body(12, 30)), log, 30, key)


def test_a_first_checkpoint_with_a_proof_is_422(witness: httpx.Client, log: SignedLog) -> None:
    log.grow(12)
    proved = replace(log.submission(0, 12), proof=(bytes(32),))
    assert post(witness, str(proved).encode())[0] == 422


def test_only_post_submits(witness: httpx.Client) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert witness.request(method, "/add-checkpoint").status_code == 405
    assert witness.post("/add-checkpoint/").status_code == 404


def test_a_body_without_end_is_cut_off(witness: httpx.Client, office: Office) -> None:
    assert post(witness, b"x" * BODY_BYTES)[0] == 400
    assert post(witness, b"x" * (BODY_BYTES + 1)) == (413, PLAIN, "the request is too long\n")

    def endless() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 65_536

    with (
        httpx.Client(base_url=witness.base_url, trust_env=False) as client,
        contextlib.suppress(httpx.TransportError),  # it may not even wait for the end
    ):
        assert client.post("/add-checkpoint", content=endless()).status_code == 413
    assert witness.get("/healthz").text == "ok\n"


def test_a_body_that_does_not_arrive_costs_a_connection_alone(
    witness: httpx.Client, log: SignedLog, key: VerifierKey
) -> None:
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold 0\n"
    with socket.create_connection((witness.base_url.host, witness.base_url.port or 80)) as slow:
        slow.sendall(head)
        log.grow(12)
        cosigned(post(witness, log.body(0, 12)), log, 12, key)


def test_the_connection_is_kept(witness: httpx.Client) -> None:
    answer = witness.post("/add-checkpoint", content=b"")
    assert "close" not in answer.headers.get("connection", "")
    assert answer.http_version == "HTTP/1.1"


def test_whoever_looks_gets_the_newest_checkpoint_with_all_signatures(
    witness: httpx.Client, log: SignedLog, key: VerifierKey
) -> None:
    path = f"/checkpoint/{log.origin}"
    none = witness.get(path)
    assert (none.status_code, none.headers["content-type"], none.text) == (
        404,
        PLAIN,
        "no checkpoint\n",
    )
    log.grow(30)
    for old, size in ((0, 12), (12, 30)):
        post(witness, log.body(old, size))
        answer = witness.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, PLAIN)
        keys = (log.signer.verifier, key)
        checkpoint, signatures = opened(Note.parse(answer.text), keys)
        assert checkpoint == log.checkpoint(size)
        assert len(signatures) == 2
    assert witness.get("/checkpoint/").status_code == 404


def test_of_thirty_two_at_once_who_continue_differently_one_wins(
    witness: httpx.Client, log: SignedLog, key: VerifierKey
) -> None:
    log.grow(12)
    post(witness, log.body(0, 12))
    forks = [log.forked(12, 13 + n) for n in range(CLIENTS)]
    address = str(witness.base_url)
    with ThreadPoolExecutor(CLIENTS) as clients:
        bodies = [fork.body(12, 13 + n) for n, fork in enumerate(forks)]
        answers = list(clients.map(lambda body: add(address, body), bodies))
    counts = Counter(answer.status_code for answer in answers)
    assert counts == {200: 1, 409: CLIENTS - 1}
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    held = {a.text for a in answers if a.status_code == 409}
    assert held == {f"{13 + winner}\n"}


def test_thirty_two_senders_of_one_log_never_see_it_go_back(
    witness: httpx.Client, log: SignedLog
) -> None:
    """Each submits what it likes, again and again; sizes told and signed only grow."""
    log.grow(400)
    address = str(witness.base_url)

    def sender(number: int) -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []
        held = 0
        with httpx.Client(base_url=address, trust_env=False, timeout=20.0) as client:
            for step in range(6):
                size = max(held, number + 1 + CLIENTS * step)
                answer = client.post("/add-checkpoint", content=log.body(held, size))
                assert answer.status_code in (200, 409)
                held = size if answer.status_code == 200 else int(answer.text)
                seen.append(("signed" if answer.status_code == 200 else "told", held))
        return seen

    with ThreadPoolExecutor(CLIENTS) as clients:
        told = list(clients.map(sender, range(CLIENTS)))
    for one in told:
        sizes = [size for _, size in one]
        assert sizes == sorted(sizes)
    signed = [size for one in told for what, size in one if what == "signed"]
    assert len(signed) > 10
    assert len([1 for one in told for what, _ in one if what == "told"]) > 10
