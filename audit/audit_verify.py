#!/usr/bin/env python3
"""核验访问审计的导出包，不需要数据共享中心，也不需要它的数据库。

    python3 -I audit_verify.py DIR [--vkey FILE] [--anchors FILE] [--proof FILE] [--json]

One file, standard library alone (Python 3.9 or newer); shipped inside every export, never
imported by the hub. It shares no line with what wrote the log, so a fault in one is found by
the other. Ed25519 by `cryptography` where that is installed, else by the command ``openssl``.

    manifest.json    first, end, sha256, frontier at first, root at end, note, consistency, vkeys
    records.jsonl    bodies as they were hashed, one a line

Checked are: each line's form, idx without gaps, every writer's own count and time, the leaves,
the root at `end` from the frontier at `first`, the note over it and the note's signature; notes
and receipts from outside (``--anchors``), and inclusion proofs (``--proof``, tlog-proof@v1).

A key that came with the export proves nothing by itself: without ``--vkey`` (the published
list) or ``--anchors`` the outcome is at best 4.

Exit: 0 intact, 1 tampered, 2 usage, 3 cannot read, 4 incomplete evidence.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

INTACT, TAMPERED, USAGE, CANNOT_READ, INCOMPLETE = range(5)
MILD = {"UNKNOWN_SIGNATURE", "CHECKPOINT_GAP"}
LINE_BYTES = 64 * 1024
FORMAT = "ysa1-jsonl"
MARK = "\u2014 "
NAME = re.compile(r"[^\s+]{1,200}\Z")
SIZE = re.compile(r"(?:0|[1-9][0-9]{0,17})\Z")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
SPKI = bytes.fromhex("302a300506032b6570032100")  # what stands before an Ed25519 key in DER
SHANGHAI = timezone(timedelta(hours=8))


class Unreadable(Exception):
    """The export cannot be read at all: exit 3."""


class Malformed(ValueError):
    """A note, key, receipt or proof that is none."""


if TYPE_CHECKING:
    Proof = tuple[int, list[bytes], "Note"]


# ---- the tree, RFC 6962


def _sha256(data: bytes) -> bytes:
    return sha256(data).digest()


def _sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


_hash = _sha256


def hash_as(log: str) -> None:
    """As the log's name ends; OSError if this machine's OpenSSL has no SM3."""
    global _hash
    _hash = _sm3 if log.endswith("/sm3") else _sha256
    try:
        _hash(b"")
    except ValueError:
        raise OSError("no SM3") from None


def leaf_hash(data: bytes) -> bytes:
    """Hash of a record."""
    return _hash(b"\x00" + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return _hash(b"\x01" + left + right)


class Frontier:
    """Roots of the perfect subtrees of a tree of `size` leaves, the largest first."""

    def __init__(self, size: int, hashes: Sequence[bytes]) -> None:
        if len(hashes) != bin(size).count("1") or any(len(one) != 32 for one in hashes):
            raise Malformed("the frontier does not belong to a tree of that size")
        self.size, self.hashes = size, list(hashes)

    def append(self, hashed: bytes) -> None:
        """Add one leaf."""
        merges = self.size
        self.size += 1
        while merges & 1:
            hashed = node_hash(self.hashes.pop(), hashed)
            merges >>= 1
        self.hashes.append(hashed)

    def root(self) -> bytes:
        """Root of the tree so far."""
        if not self.hashes:
            return _hash(b"")
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def included(hashed: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last = index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            hashed = node_hash(sibling, hashed)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and hashed == root


def consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """RFC 9162 2.1.4.2."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new or not (proof or old & (old - 1) == 0):
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = node_hash(now, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


# ---- notes and keys, c2sp.org/signed-note


def unbase64(text: str) -> bytes:
    """Strict: one spelling for each value."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("no base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Malformed("no canonical base64")
    return raw


class Note:
    """A checkpoint: `text` as signed, origin, size, root; lines as (name, key id, signature)."""

    def __init__(self, note: object) -> None:
        if not isinstance(note, str) or len(note) > LINE_BYTES or not note.endswith("\n"):
            raise Malformed("no note")
        if CONTROL.search(note):
            raise Malformed("no note: control characters")
        text, gap, tail = note[:-1].rpartition("\n\n")
        lines = tail.split("\n")
        if not gap or len(lines) > 16:
            raise Malformed("no note: no empty line, or more than 16 signatures")
        self.text = text + "\n"
        head = self.text.split("\n")
        if len(head) < 4 or not head[0] or not SIZE.match(head[1]):
            raise Malformed("no checkpoint")
        self.origin, self.size, self.root = head[0], int(head[1]), unbase64(head[2])
        if len(self.root) != 32:
            raise Malformed("no checkpoint: its root has not 32 bytes")
        self.lines = [signature(line) for line in lines]


def signature(line: str) -> tuple[str, bytes, bytes]:
    """Name, key id and signature of a line."""
    name, _, encoded = line[len(MARK) :].partition(" ")
    if not line.startswith(MARK) or not NAME.match(name):
        raise Malformed("a signature line has no name")
    raw = unbase64(encoded)
    if len(raw) <= 4:
        raise Malformed("a signature line has no signature")
    return name, raw[:4], raw[4:]


class Key:
    """A public key, from which day and until which it signs (Asia/Shanghai)."""

    def __init__(self, line: str) -> None:
        vkey, *days = line.split()
        if len(days) not in (0, 2):
            raise Malformed("a key has two days or none")
        try:
            self.since, self.until = [
                None if d == "-" else date.fromisoformat(d) for d in days or "--"
            ]
        except ValueError:
            raise Malformed("no day") from None
        self.name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = unbase64(encoded)
        if not NAME.match(self.name) or raw[:1] != b"\x01" or len(raw) != 33:
            raise Malformed("no Ed25519 key of a log")
        self.key_id, self.public = sha256(self.name.encode() + b"\n" + raw).digest()[:4], raw[1:]
        if self.key_id.hex() != key_id:
            raise Malformed("a key's id does not belong to it")

    def signs_at(self, ts: int) -> bool:
        """May it sign when the newest record is of `ts` (µs UTC)?"""
        try:
            day = datetime.fromtimestamp(ts // 1_000_000, SHANGHAI).date()
        except (OverflowError, OSError, ValueError):
            return False
        if self.since is not None and day < self.since - timedelta(days=1):
            return False
        return self.until is None or day <= self.until


def holds(public: bytes, text: bytes, raw: bytes) -> bool | None:
    """Is `raw` the key's Ed25519 signature of `text`? None if nothing here can tell."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return by_openssl(public, text, raw)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(raw, text)
    except InvalidSignature:
        return False
    return True


def by_openssl(public: bytes, text: bytes, raw: bytes) -> bool | None:
    """The same, by OpenSSL 3's command."""
    with tempfile.TemporaryDirectory() as folder:
        key, said, signed = (Path(folder) / name for name in ("key", "said", "signed"))
        key.write_bytes(SPKI + public)
        said.write_bytes(text)
        signed.write_bytes(raw)
        words = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", str(key)]
        words += ["-rawin", "-in", str(said), "-sigfile", str(signed)]
        try:
            ran = subprocess.run(words, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError):
            return None
        if b"Signature Verified Successfully" in ran.stdout + ran.stderr:
            return ran.returncode == 0
        refused = b"Signature Verification Failure" in ran.stdout + ran.stderr
        return False if refused else None


# ---- one line


def refuse(_: str) -> NoReturn:
    """A record has no such number."""
    raise Malformed("a number with a fraction")


def whole(text: str) -> int:
    """A number of at most 2^53-1."""
    number = int(text)
    if len(text) > 15 and abs(number) >= 1 << 53:
        raise Malformed("too large a number")
    return number


ENCODE = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode
DECODE = json.JSONDecoder(parse_float=refuse, parse_constant=refuse, parse_int=whole).decode


def plain(value: object) -> bool:
    """No null, anywhere."""
    if isinstance(value, dict):
        return all(map(plain, value.values()))
    if isinstance(value, list):
        return all(map(plain, value))
    return value is not None


def body_of(raw: bytes) -> dict[str, Any] | None:
    """The record of a line without its newline; None if the line is not in canonical form."""
    try:
        text = raw.decode()
        body = DECODE(text)
        if not isinstance(body, dict) or ENCODE(body) != text:
            return None
        if "null" in text and not plain(body):
            return None
        return body if text.isascii() or unicodedata.is_normalized("NFC", text) else None
    except (ValueError, RecursionError):
        return None


# ---- the export


class Manifest:
    """What the export says of itself; Unreadable if that is not said at all."""

    def __init__(self, folder: Path) -> None:
        try:
            told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            self.log, self.sha256, self.root = told["log"], told["sha256"], told["root"]
            self.first: int = told["first"]
            self.end: int = told["end"]
            frontier = bytes.fromhex(told["frontier"])
            self.note, self.vkeys = told["note"], told["vkeys"]
            self.consistency = [bytes.fromhex(one) for one in told["consistency"]]
            numbers = type(self.first) is int and type(self.end) is int
            if told["format"] != FORMAT or not numbers or not 0 <= self.first <= self.end:
                raise ValueError("another format")
            texts = (self.log, self.sha256, self.root, *self.vkeys)
            if not all(isinstance(one, str) for one in texts):
                raise ValueError("no texts")
            hash_as(self.log)
            hashes = [frontier[at : at + 32] for at in range(0, len(frontier), 32)]
            self.frontier = Frontier(self.first, hashes)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreadable(f"manifest.json: {type(error).__name__}") from None
        self.records = folder / "records.jsonl"


class Verifier:
    """One walk over the lines; `findings` counts codes, `first_bad` is the lowest idx."""

    def __init__(self, manifest: Manifest, keys: Sequence[Key], given: bool) -> None:
        self.manifest, self.keys, self.given = manifest, keys, given
        self.counts: Counter[str] = Counter()
        self.exact: int | None = None
        self.writers: dict[str, tuple[int, int]] = {}
        self.roots: dict[int, bytes] = {}  # root at sizes somebody asks for
        self.leaves: dict[int, bytes] = {}  # leaf at places somebody asks for
        self.times: dict[int, int | None] = {}  # newest time at sizes somebody asks for
        self.count = self.reached = self.anchored = 0

    def add(self, idx: int, code: str) -> None:
        """A fault of a record."""
        self.counts[code] += 1
        self.exact = idx if self.exact is None else min(self.exact, idx)

    def somewhere(self, code: str) -> None:
        """A fault whose record is not known."""
        self.counts[code] += 1

    @property
    def first_bad(self) -> int | None:
        """The first record that speaks for itself, else where the export begins."""
        begin = self.manifest.first if self.counts else None
        return begin if self.exact is None else self.exact

    def walk(self, sizes: Iterable[int], places: Iterable[int]) -> None:
        """Read every line; keep roots of `sizes` and leaves of `places`."""
        manifest, tree = self.manifest, self.manifest.frontier
        whole, expected = sha256(), manifest.first
        ts: int | None = None
        wanted = {at for at in {*sizes, manifest.end} if at >= manifest.first}
        self.roots[manifest.first] = tree.root()
        kept = set(places)
        with manifest.records.open("rb") as lines:
            for line in iter(lambda: lines.readline(LINE_BYTES + 2), b""):
                whole.update(line)
                raw = line[:-1] if line.endswith(b"\n") else line
                hashed = leaf_hash(raw)
                tree.append(hashed)
                ts = self.judge(raw, line, expected, ts)
                if expected in kept:
                    self.leaves[expected] = hashed
                expected += 1
                if expected in wanted:
                    self.roots[expected], self.times[expected] = tree.root(), ts
        self.count = expected - manifest.first
        self.reached = expected
        if expected != manifest.end:
            self.add(min(expected, manifest.end), "GAP")
        if whole.hexdigest() != manifest.sha256:
            self.somewhere("HEAD")
        if tree.root().hex() != manifest.root:
            self.somewhere("HEAD")

    def judge(self, raw: bytes, line: bytes, idx: int, ts: int | None) -> int | None:
        """One line; the time it says."""
        body = body_of(raw) if line.endswith(b"\n") and len(raw) <= LINE_BYTES else None
        if body is None:
            self.add(idx, "NOT_CANONICAL")
            return ts
        if type(body.get("idx")) is not int or body["idx"] != idx:
            self.add(idx, "GAP")
        name, wseq, at = body.get("writer"), body.get("wseq"), body.get("ts")
        if not (isinstance(name, str) and type(wseq) is int and type(at) is int):
            self.add(idx, "WRITER_SEQ")
            return ts
        seen = self.writers.get(name)
        if seen is None:
            seen = (wseq - 1 if self.manifest.first else 0, at)
        if wseq != seen[0] + 1:
            self.add(idx, "WRITER_SEQ")
        if at < seen[1]:
            self.add(idx, "CLOCK_BACK")
        self.writers[name] = (wseq, at)
        return at

    def opened(self, note: Note, ts: int | None) -> bool:
        """Judge the signatures of a note of this log; True if one holds."""
        if note.origin != self.manifest.log:
            self.somewhere("CHECKPOINT_SIG")
            return False
        keys = {(key.name, key.key_id): key for key in self.keys if key.name == note.origin}
        used: set[Key] = set()
        for name, key_id, raw in note.lines:
            key = keys.get((name, key_id))
            if key is None:
                continue
            held = holds(key.public, note.text.encode(), raw)
            if held is None:
                self.somewhere("UNKNOWN_SIGNATURE")
                return False
            if not held or key in used:
                self.somewhere("CHECKPOINT_SIG")
                return False
            used.add(key)
        if not used:
            self.somewhere("UNKNOWN_SIGNATURE")
            return False
        if ts is not None and not any(key.signs_at(ts) for key in used):
            self.somewhere("CHECKPOINT_SIG")
            return False
        return True

    def judge_note(self, note: Note | None) -> None:
        """The export's own checkpoint over its records."""
        manifest, end = self.manifest, self.manifest.end
        if note is None:
            self.somewhere("CHECKPOINT_GAP")
            return
        self.opened(note, self.times.get(note.size))
        if note.size < manifest.first or (note.size < end and note.size not in self.roots):
            self.somewhere("CHECKPOINT_GAP")  # it covers nothing of this
        elif note.size <= end:
            if self.roots.get(note.size) != note.root:
                self.somewhere("FORK")
            if note.size < end:
                self.add(note.size, "CHECKPOINT_GAP")
        elif end == 0 or not consistent(
            end, note.size, self.roots.get(end, b""), note.root, manifest.consistency
        ):
            self.somewhere("FORK")

    def judge_anchor(self, note: Note, own: Note | None) -> None:
        """A note from outside."""
        if note.size in self.roots:
            fits = self.roots[note.size] == note.root
        elif own is not None and note.size == own.size:
            fits = own.root == note.root
        else:
            return  # of another part of the log
        if fits:
            self.anchored = max(self.anchored, min(note.size, self.reached))
        else:
            self.somewhere("FORK")

    def judge_receipt(self, idx: int, hashed: bytes) -> None:
        """A receipt from outside."""
        if self.manifest.first <= idx < self.manifest.end:
            if self.leaves.get(idx) != hashed:
                self.add(idx, "FORK")
            else:
                self.anchored = max(self.anchored, idx + 1)

    def judge_proof(self, proof: Proof) -> None:
        """An inclusion proof for a record of the export."""
        index, path, note = proof
        if not self.opened(note, None):
            return
        if not self.manifest.first <= index < self.manifest.end:
            self.add(index, "CHECKPOINT_GAP")  # its record is not here: nothing is proved
        elif not included(self.leaves.get(index, b""), index, note.size, path, note.root):
            self.add(index, "FORK")

    def exit(self) -> int:
        """Tampered, or short of evidence, or intact."""
        if set(self.counts) - MILD:
            return TAMPERED
        if self.counts or not self.count:
            return INCOMPLETE
        return INTACT if self.given or self.anchored >= self.manifest.end else INCOMPLETE


# ---- files from outside


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Notes of a file, the last one perhaps cut, and its receipt lines."""
    note: list[str] = []
    gaps = 0
    for line in text.splitlines(keepends=True):
        if line.startswith("{") and not note:
            yield line, True
        elif line == "\n" and (gaps or not note):
            if note:
                yield "".join(note), True
            note, gaps = [], 0
        else:
            gaps += line == "\n"
            note.append(line)
    if note:
        yield "".join(note), False


def outside(files: Sequence[Path], log: str) -> tuple[list[Note], list[tuple[int, bytes]], int]:
    """Notes and receipts of this log; and how many pieces are neither."""
    notes: list[Note] = []
    receipts: list[tuple[int, bytes]] = []
    bad = 0
    for file in files:
        for text, whole in pieces(file.read_text(encoding="utf-8")):
            try:
                if text.startswith("{"):
                    told = json.loads(text)
                    idx, hashed = told["idx"], bytes.fromhex(told["leaf"])
                    if type(idx) is not int or len(hashed) != 32:
                        raise Malformed("no receipt")
                    if told["log"] == log:
                        receipts.append((idx, hashed))
                else:
                    note = Note(text)
                    if note.origin == log:
                        notes.append(note)
            except (ValueError, KeyError, TypeError, RecursionError):
                bad += whole
    if files and not notes and not receipts:
        bad += 1
    return notes, receipts, bad


def proof_of(file: Path) -> Proof:
    """(index, path, note) of a tlog-proof@v1."""
    head, gap, rest = file.read_text(encoding="utf-8").partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Malformed("no tlog-proof")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0)[6:])
    word, _, number = (lines.pop(0) if lines else "").partition(" ")
    if word != "index" or not SIZE.match(number):
        raise Malformed("no tlog-proof: no index")
    path = [unbase64(line) for line in lines]
    if any(len(one) != 32 for one in path):
        raise Malformed("no tlog-proof: a hash has not 32 bytes")
    return int(number), path, Note(rest)


def keys_of(lines: Iterable[str]) -> list[Key]:
    """Keys of a list; empty lines are passed over."""
    return [Key(line) for line in lines if line.strip()]


# ---- outcome

HEADLINES = {INTACT: "导出包完好", TAMPERED: "导出包被改动", INCOMPLETE: "证据不足"}


def verify(
    folder: Path,
    vkey: Path | None = None,
    anchors: Sequence[Path] = (),
    proofs: Sequence[Path] = (),
) -> tuple[int, Verifier]:
    """(exit, Verifier). Unreadable, Malformed, OSError."""
    manifest = Manifest(folder)
    lines = vkey.read_text(encoding="utf-8").splitlines() if vkey else manifest.vkeys
    verifier = Verifier(manifest, keys_of(lines), vkey is not None)
    notes, receipts, bad = outside(anchors, manifest.log)
    asked = [proof_of(file) for file in proofs]
    try:
        own = Note(manifest.note) if manifest.note is not None else None
    except Malformed:
        own, bad = None, bad + 1
    sizes = [note.size for note in notes] + ([own.size] if own else [])
    verifier.walk(sizes, [idx for idx, _ in receipts] + [index for index, _, _ in asked])
    verifier.judge_note(own)
    for note in notes:
        verifier.judge_anchor(note, own)
    for idx, hashed in receipts:
        verifier.judge_receipt(idx, hashed)
    for proof in asked:
        verifier.judge_proof(proof)
    for _ in range(bad):
        verifier.somewhere("CHECKPOINT_SIG")
    return verifier.exit(), verifier


def said(code: int, verifier: Verifier) -> str:
    """One line."""
    manifest = verifier.manifest
    parts = [
        f"{manifest.log}：第 {manifest.first} 至 {manifest.end - 1} 条，共 {verifier.count} 条"
    ]
    if verifier.counts:
        found = "，".join(f"{name} {count}" for name, count in sorted(verifier.counts.items()))
        parts.append(f"自第 {verifier.first_bad} 条起（{found}）")
    if verifier.anchored:
        parts.append(f"与外部凭据相符至 {verifier.anchored} 条")
    if not verifier.given:
        parts.append("公钥取自导出包本身，请用 --vkey 给出公布的清单")
    return f"{HEADLINES[code]}：" + "；".join(parts)


def main(words: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="核验访问审计的导出包")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--vkey", type=Path, help="公布的公钥清单，每行“公钥 起 止”")
    parser.add_argument("--anchors", type=Path, action="append", default=[], help="外部凭据")
    parser.add_argument("--proof", type=Path, action="append", default=[], help="tlog-proof")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(words)
    try:
        code, verifier = verify(asked.folder, asked.vkey, asked.anchors, asked.proof)
    except Malformed as error:
        print(f"公钥清单、凭据或证明有误：{error}", file=sys.stderr)
        return USAGE
    except (Unreadable, OSError, UnicodeDecodeError) as error:
        print(f"无法读取导出包：{error}", file=sys.stderr)
        return CANNOT_READ
    if asked.json:
        told = {
            "exit": code,
            "log": verifier.manifest.log,
            "first": verifier.manifest.first,
            "end": verifier.manifest.end,
            "records": verifier.count,
            "findings": dict(sorted(verifier.counts.items())),
            "firstBad": verifier.first_bad,
            "anchored": verifier.anchored,
            "keysGiven": verifier.given,
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(said(code, verifier))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
