"""hub-witness as its office types it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.witness.office import PROGRAM, Office, add, prepared
from tests.witness.signed_log import ORIGIN, SignedLog

NAME = "audit.invalid/w1"


def run(folder: Path, *words: object, **settings: str) -> tuple[int, str, str]:
    ran = subprocess.run(
        [PROGRAM, *map(str, words)],
        cwd=folder,
        env={"PATH": "", **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_a_first_start_needs_a_key_the_logs_and_a_word(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, "keys")
    assert (code, out) == (3, "")
    assert err == "密钥文件 witness.key 不存在：请检查路径\n"
    code, made, _ = run(tmp_path, "keys", "--create", "--name", NAME)
    assert code == 0
    assert made.startswith(f"{NAME}+")
    assert run(tmp_path, "keys") == (0, made, "")
    assert run(tmp_path, "keys", WITNESS_KEY="other.key")[0] == 3
    code, _, err = run(tmp_path, "serve")
    assert (code, err) == (3, "日志公钥文件 logs.txt 不存在：请检查路径\n")
    (tmp_path / "logs.txt").write_text(SignedLog().vkey)
    code, _, err = run(tmp_path, "serve")
    assert (code, len(err.splitlines())) == (3, 1)
    assert "首次启动请加 --create" in err
    assert not (tmp_path / "witness.sqlite").exists()


def test_a_key_is_not_made_without_a_name(tmp_path: Path) -> None:
    code, _, err = run(tmp_path, "keys", "--create")
    assert code == 2
    assert "--create 需要 --name" in err


def test_a_second_beginning_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path, NAME, [SignedLog().vkey])
    code, _, err = run(tmp_path, "serve", "--create")
    assert (code, err) == (
        3,
        "文件 witness.sqlite 已经存在：见证不得从头开始，请去掉 --create\n",
    )


def test_status_before_anything_was_signed(tmp_path: Path) -> None:
    prepared(tmp_path, NAME, [SignedLog().vkey])
    assert run(tmp_path, "status") == (0, "尚未为任何日志签名\n", "")
    assert run(tmp_path, "status", "--file", "none")[0] == 3


@pytest.mark.loopback
def test_status_shows_what_was_signed_and_what_convicts(tmp_path: Path) -> None:
    log = SignedLog().grow(30)
    office: Office = prepared(tmp_path, NAME, [log.vkey])
    with office.serving() as address:
        assert add(address, log.body(0, 12)).status_code == 200
        code, out, _ = run(tmp_path, "status")  # beside the serving process
        assert code == 0
        assert out.startswith(f"{ORIGIN}：12 条记录，根 ")
        assert add(address, log.forked(3, 30).body(12, 30)).status_code == 422
        assert run(tmp_path, "status")[0] == 0  # perhaps somebody else's doing
        assert add(address, log.forked(3, 12).body(12, 12)).status_code == 409
    code, out, err = run(tmp_path, "status")
    assert (code, err) == (1, "")
    assert out.splitlines()[1:] == [
        f"{ORIGIN}：日志自相矛盾的证据 1 件（同样大小、不同的根）：请保存文件并通报",
        f"{ORIGIN}：证明不成立的检查点 1 件：请向日志一方查问",
    ]
    code, out, _ = run(tmp_path, "status", "--json")
    told = json.loads(out)
    assert code == 1
    (one,) = told["logs"]
    assert (one["origin"], one["size"]) == (ORIGIN, 12)
    assert one["ageSeconds"] >= 0
    assert sorted(piece["kind"] for piece in told["evidence"]) == ["FORK", "PROOF"]


@pytest.mark.loopback
def test_a_taken_port_ends_the_program(tmp_path: Path) -> None:
    office = prepared(tmp_path, NAME, [SignedLog().vkey])
    with office.serving() as address:
        code, _, err = run(tmp_path, "serve", "--port", address.rpartition(":")[2])
    assert code in (1, 3)
    assert "address already in use" in err
