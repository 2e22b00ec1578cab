"""The verbs an outsider's evidence comes from, and the log's name."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.memory import MemoryFile
from audit.note import Checkpoint, Note, VerifierKey, opened
from audit.proof import Kept, Proof
from audit.tree import verify_consistency
from hub.settings import load_settings
from hub.signing import log_id, next_log_id

OK, FAILED, USAGE, OPERATOR = 0, 1, 2, 3
LOG = "demo.invalid/hub/main/sha256"

Hub = Callable[..., Any]


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    """The demonstration after its first run, to be damaged."""
    folder = tmp_path / "copy"
    shutil.copytree(county, folder)
    return folder


def _rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "store.sqlite")
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_a_checkpoint_is_signed_on_demand_and_covers_all(hub: Hub, copy: Path) -> None:
    keys = [VerifierKey.parse(line.split()[0]) for line in _listed(hub, copy).splitlines()]
    ran = hub("audit", "checkpoint", "--dir", copy)
    assert (ran.code, ran.err) == (OK, "")
    found, signatures = opened(Note.parse(ran.out), keys)
    ((size, root),) = _rows(copy, "SELECT size, root FROM audit_head")
    assert (found, len(signatures)) == (Checkpoint(LOG, size, bytes.fromhex(root)), 1)
    again = hub("audit", "checkpoint", "--dir", copy)
    assert again.out == ran.out  # nothing new, nothing signed


def test_a_receipt_is_proved_offline(hub: Hub, copy: Path, tmp_path: Path) -> None:
    hub("audit", "checkpoint", "--dir", copy)
    ((leaf,),) = _rows(copy, "SELECT leaf FROM audit_event WHERE idx = 2")
    proof = hub("audit", "proof", "2", "--dir", copy)
    assert (proof.code, proof.err) == (OK, "")
    receipt = {"idx": 2, "leaf": leaf, "log": LOG}
    keys = [VerifierKey.parse(line.split()[0]) for line in _listed(hub, copy).splitlines()]
    assert Kept.parse(receipt).proved(Proof.parse(proof.out), keys) is not None
    files = {name: tmp_path / name for name in ("receipt", "proof", "keys", "other", "nothing")}
    files["receipt"].write_text(json.dumps({"data": {}, "extensions": {"audit": receipt}}))
    files["other"].write_text(json.dumps(receipt | {"idx": 1}))
    files["proof"].write_text(proof.out)
    files["keys"].write_text(_listed(hub, copy))
    files["nothing"].write_text("nothing")

    def checked(receipt: str, keys: str = "keys", proof: str = "proof") -> Any:
        options = ("--proof", files[proof], "--vkey", files[keys])
        return hub("audit", "receipt-check", files[receipt], *options)

    assert checked("receipt").out.startswith("相符：第 2 条记录在 ")
    assert [checked("receipt").code, checked("other").code] == [OK, FAILED]
    assert [checked(name).code for name in ("nothing", "proof")] == [USAGE, USAGE]
    assert checked("receipt", keys="nothing").code == USAGE
    assert checked("receipt", proof="nothing").code == USAGE
    stranger = VerifierKey(LOG, 1, bytes(32)).vkey
    files["keys"].write_text(stranger)
    unknown = checked("receipt")
    assert (unknown.code, unknown.err.count("\n")) == (FAILED, 1)
    assert "UNKNOWN_SIGNATURE" in unknown.err


def test_consistency_is_proved_between_two_sizes(hub: Hub, copy: Path) -> None:
    notes = [Note.parse(note) for (note,) in _rows(copy, "SELECT note FROM audit_checkpoint")]
    old, new = (Checkpoint.parse(note.text) for note in (notes[0], notes[-1]))
    ran = hub("audit", "consistency", old.size, new.size, "--dir", copy)
    hashes = Proof.parse(f"c2sp.org/tlog-proof@v1\nindex 0\n{ran.out}\n{notes[0]}").hashes
    assert ran.code == OK
    assert verify_consistency(old.size, new.size, old.root, new.root, hashes)
    for words, code in ((("2", "1"), USAGE), (("1", "99999"), FAILED)):
        ended = hub("audit", "consistency", *words, "--dir", copy)
        assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)


def test_what_is_not_covered_or_not_so_is_not_given(hub: Hub, copy: Path) -> None:
    early = hub("audit", "proof", "99999", "--dir", copy)
    assert (early.code, early.out, early.err.count("\n")) == (FAILED, "", 1)
    _rows(copy, "DROP TRIGGER audit_event_no_update")
    _rows(copy, f"UPDATE audit_event SET leaf = '{'ab' * 32}' WHERE idx = 2")
    forged = hub("audit", "proof", "2", "--dir", copy)
    assert (forged.code, forged.out) == (FAILED, "")
    assert forged.err == "证明与日志不符：请运行 hub audit verify\n"


def test_a_verb_on_another_database_signs_nothing_and_stops_nobody(hub: Hub, copy: Path) -> None:
    _rows(copy, "UPDATE audit_head SET root = 'no root'")
    before = (copy / "keys/signer.json").read_bytes()
    ran = hub("audit", "checkpoint", "--dir", copy)
    assert (ran.code, ran.out, ran.err.count("\n")) == (FAILED, "", 1)
    assert "CHANGED" in ran.err
    assert (copy / "keys/signer.json").read_bytes() == before
    assert not (copy / "keys/signer.halt").exists()
    demo = hub("demo", "--dir", copy)
    assert (demo.code, demo.err.count("\n")) == (OPERATOR, 1)
    assert "restart-log" in demo.err


def test_keys_rotate_forward_only(hub: Hub, copy: Path) -> None:
    for day in ("2020-01-01", "2022-01-01"):
        ran = hub("audit", "keys", "rotate", "--from", day, "--by", "auditor-01", "--dir", copy)
        assert (ran.code, ran.out, ran.err.count("\n")) == (USAGE, "", 1)
    made = hub("audit", "keys", "rotate", "--from", "2099-01-10", "--by", "a-01", "--dir", copy)
    assert made.code == OK
    first, second = _listed(hub, copy).splitlines()
    assert (first.split()[1:], made.out) == (["2022-01-01", "2099-01-16"], second + "\n")
    assert second.split()[1:] == ["2099-01-10", "-"]
    ((body,),) = _rows(copy, "SELECT body FROM audit_event WHERE kind = 'KEY_ROTATED'")
    key = VerifierKey.parse(second.split()[0])
    assert json.loads(body)["op"]["vars"] == {"from": "2099-01-10", "key": key.key_id.hex()}
    assert (copy / "keys/checkpoint.keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("by", "other", "reason"),
    [("office-01", "office-01", "LOST"), ("office-01", "x y", "LOST"), ("a", "b", "two words")],
)
def test_restarting_needs_two_accounts_and_a_code(
    hub: Hub, copy: Path, by: str, other: str, reason: str
) -> None:
    words = ("--by", by, "--approved-by", other, "--reason", reason)
    ran = hub("audit", "restart-log", *words, "--dir", copy)
    assert (ran.code, ran.out, ran.err.count("\n")) == (USAGE, "", 1)


def test_restarting_goes_over_whole_records_only(hub: Hub, copy: Path) -> None:
    words = ("--by", "office-01", "--approved-by", "auditor-01", "--reason", "DISK_LOST")
    _rows(copy, "UPDATE audit_head SET size = size - 1")
    ran = hub("audit", "restart-log", *words, "--dir", copy)
    assert (ran.code, ran.out, ran.err.count("\n")) == (OPERATOR, "", 1)
    memory = MemoryFile(copy / "keys/signer.json").read()
    assert memory is not None
    assert memory.log == LOG


def test_the_log_is_named_by_the_memory(county: Path, tmp_path: Path) -> None:
    def settings(folder: Path, profile: str = "demo") -> Any:
        given = {"profile": profile, "data_dir": folder, "store.url": "sqlite+aiosqlite:///x"}
        return load_settings({}, given | {"issuer": "https://issuer.invalid"})

    assert log_id(settings(county)) == LOG
    assert log_id(settings(tmp_path)) == LOG
    # A memory of another authority names nothing: it is a mismatch, seen at the start.
    assert log_id(settings(county, "production")) == "yanshan.gov.cn/hub/main/sha256"
    assert next_log_id(settings(county), LOG) == "demo.invalid/hub/main-2/sha256"
    third = next_log_id(settings(county), "demo.invalid/hub/main-2/sha256")
    assert third == "demo.invalid/hub/main-3/sha256"


def _listed(hub: Hub, folder: Path) -> str:
    ran = hub("audit", "keys", "list", "--dir", folder)
    assert (ran.code, ran.err) == (OK, "")
    listed: str = ran.out
    return listed
