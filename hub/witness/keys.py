"""A witness's own keys, and the logs it knows.

witness.key   one line a key: ``name seed``, the seed 32 bytes in hex; 0600
logs.txt      one line a log's key: its vkey; what follows a blank is for people, # a comment
"""

from __future__ import annotations

import os
import secrets
import stat
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from audit.note import ED25519, BadNote, Cosigner, VerifierKey
from audit.witness import Logs
from catalog.errors import Readable

SEED_BYTES = 32
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeysError(Readable):
    """A file of keys is missing or unfit. One Chinese line; never content."""


def make_key(file: Path, name: str) -> None:
    """A new key under `name` (no blanks, no plus); KeysError if the file is there already."""
    seed = secrets.token_bytes(SEED_BYTES)
    try:
        Cosigner(name, seed)
    except BadNote:
        raise KeysError("名称不得含空格与加号，长度 1–200：如 audit.example.cn/w1") from None
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeysError(f"密钥文件 {file} 已经存在：不覆盖") from None
    except OSError:
        raise KeysError(f"密钥文件 {file} 无法建立：请检查目录与权限") from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(f"{name} {seed.hex()}\n")
        stream.flush()
        os.fsync(stream.fileno())


def cosigners(file: Path) -> tuple[Cosigner, ...]:
    """The keys of the file, all of which sign; KeysError."""
    text = _text(file, "密钥文件")
    if file.stat().st_mode & OTHERS:
        raise KeysError(f"密钥文件 {file} 可被他人读取：请执行 chmod 600 {file}")
    found = [_cosigner(file, line) for line in text.splitlines() if line.strip()]
    # A cosignature does not say whose it is: two witnesses of one key would be one.
    if not found or len({one.verifier.public for one in found}) < len(found):
        raise KeysError(f"密钥文件 {file} 为空，或有重复的密钥：请改正")
    return tuple(found)


def logs(file: Path) -> Logs:
    """The logs' keys by origin; KeysError."""
    found: defaultdict[str, list[VerifierKey]] = defaultdict(list)
    for number, line in enumerate(_text(file, "日志公钥文件").splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            key = _key(file, number, words[0])
            found[key.name].append(key)
    if not found:
        raise KeysError(f"日志公钥文件 {file} 为空：请填入 hub audit keys list 打印的公钥")
    return dict(found)


def vkeys(signers: Sequence[Cosigner]) -> list[str]:
    """What the logs are given."""
    return [one.verifier.vkey for one in signers]


def _cosigner(file: Path, line: str) -> Cosigner:
    name, _, seed = line.strip().partition(" ")
    try:
        return Cosigner(name, bytes.fromhex(seed))
    except ValueError:
        raise KeysError(f"密钥文件 {file} 格式错误：每行须为“名称 64 位十六进制”") from None


def _key(file: Path, number: int, vkey: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(vkey)
    except BadNote:
        key = None
    if key is None or key.kind != ED25519:
        raise KeysError(f"日志公钥文件 {file} 第 {number} 行不是日志的公钥（vkey）：请改正")
    return key


def _text(file: Path, what: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeysError(f"{what} {file} 不存在：请检查路径") from None
    except (OSError, UnicodeDecodeError):
        raise KeysError(f"{what} {file} 不可读：请检查权限与内容") from None
