"""A witness's key files: made once, readable by their owner alone, faults in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.note import Cosigner, VerifierKey
from hub.witness.keys import KeysError, cosigners, logs, make_key, vkeys
from tests.witness.signed_log import ORIGIN, SEED, SignedLog

NAME = "audit.invalid/w1"
LOG = SignedLog()
ROTATED = SignedLog(seed=bytes(32))


def written(folder: Path, text: str) -> Path:
    file = folder / "file"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def complaint(file: Path) -> str:
    with pytest.raises(KeysError) as caught:
        cosigners(file)
    return str(caught.value).replace(str(file), "F")


def test_a_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "witness.key"
    make_key(file, NAME)
    assert file.stat().st_mode & 0o777 == 0o600
    (one,) = cosigners(file)
    assert VerifierKey.parse(vkeys([one])[0]) == one.verifier
    assert one.verifier.name == NAME
    before = file.read_bytes()
    with pytest.raises(KeysError, match="不覆盖"):
        make_key(file, NAME)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["", "with blank", "with+plus", "x" * 201])
def test_a_name_that_no_note_may_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeysError, match="名称不得含空格与加号"):
        make_key(tmp_path / "witness.key", name)
    assert not (tmp_path / "witness.key").exists()


def test_two_keys_sign_both(tmp_path: Path) -> None:
    file = written(tmp_path, f"{NAME} {SEED.hex()}\n\n{NAME} {bytes(32).hex()}\n")
    assert vkeys(cosigners(file)) == [
        Cosigner(NAME, SEED).verifier.vkey,
        Cosigner(NAME, bytes(32)).verifier.vkey,
    ]


def test_faults_of_the_key_file_are_one_line_without_its_content(tmp_path: Path) -> None:
    seed = SEED.hex()
    assert complaint(tmp_path / "none") == "密钥文件 F 不存在：请检查路径"
    assert complaint(written(tmp_path, "")) == "密钥文件 F 为空，或有重复的密钥：请改正"
    twice = f"{NAME} {seed}\nother.invalid/w {seed}\n"
    assert complaint(written(tmp_path, twice)) == "密钥文件 F 为空，或有重复的密钥：请改正"
    for text in (seed, f"{NAME} {seed[:-2]}", f"{NAME} {seed[:-2]}zz", f"a+b {seed}"):
        said = complaint(written(tmp_path, text))
        assert said == "密钥文件 F 格式错误：每行须为“名称 64 位十六进制”"
        assert seed[:20] not in said
    file = written(tmp_path, f"{NAME} {seed}")
    file.chmod(0o640)
    assert complaint(file) == "密钥文件 F 可被他人读取：请执行 chmod 600 F"
    file = written(tmp_path, "")
    file.write_bytes(b"\xff")
    assert complaint(file) == "密钥文件 F 不可读：请检查权限与内容"


def test_a_log_may_have_several_keys_and_words_behind_them(tmp_path: Path) -> None:
    other = SignedLog("other.invalid/log")
    file = written(
        tmp_path, f"# 县中枢\n{LOG.vkey} 2026-01-01 -\n{ROTATED.vkey} # 新\n\n{other.vkey}\n"
    )
    assert logs(file) == {
        ORIGIN: [LOG.signer.verifier, ROTATED.signer.verifier],
        "other.invalid/log": [other.signer.verifier],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nobody\n", "日志公钥文件 F 为空"),
        ("\nnonsense\n", "日志公钥文件 F 第 2 行不是日志的公钥"),
        (LOG.vkey[:-3], "日志公钥文件 F 第 1 行不是日志的公钥"),
        (Cosigner(NAME, SEED).verifier.vkey, "日志公钥文件 F 第 1 行不是日志的公钥"),
    ],
)
def test_faults_of_the_logs_file_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(KeysError) as caught:
        logs(file)
    assert str(caught.value).replace(str(file), "F").startswith(said)
