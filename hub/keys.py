"""Key material: five files in one directory, readable by their owner alone.

    issuer.pem    ES256 key of the token issuer; a public key is enough to verify
    identity.key  county key behind `citizen_uid` (32 bytes, hex): lose it and no person is found
    audit.keys    key ring of subject tokens: one ``version hex`` a line, the newest highest
    cursor.keys   key ring of sealed cursors (AES-SIV, 64 bytes): one ``number hex`` a line
    checkpoint.keys  keys that sign checkpoints (Ed25519): one ``since-day hex`` a line
    sources/<name>   what lets the hub into a department's system: a key or a password

A demo makes what is missing. Production refuses to: a key made silently on one machine would
name the same person differently on the next.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from audit.keyring import SEED_BYTES, SigningKey, SigningKeys, line_of
from catalog.errors import Readable

CURVE = "P-256"  # ES256
CHECKPOINT = "checkpoint.keys"
FIRST_DAY = date(2022, 1, 1)  # a demo's key may sign whatever day its clock says
IDENTITY_BYTES = 32
AUDIT_BYTES = 32
CURSOR_BYTES = 64  # AES-256 in SIV mode takes two keys
OTHERS = stat.S_IRWXG | stat.S_IRWXO
RING_NUMBERS = range(1, 256)  # a cursor carries its key's number in one byte


class KeysError(Readable):
    """A key file is missing or unfit. One Chinese line: file and what to do; never content."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything secret the hub holds; shows nothing of it."""

    issuer: ECKey = field(repr=False)
    identity: bytes = field(repr=False)
    audit: Mapping[int, bytes] = field(repr=False)
    cursor: Mapping[int, bytes] = field(repr=False)
    checkpoint: SigningKeys = field(repr=False)


def load_keys(directory: Path, *, create: bool) -> Keys:
    """Read the five files; `create` makes missing ones (0600) and the directory (0700).

    KeysError for a missing file without `create`, an unfit one, or one others may read.
    """
    if create:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Keys(
        issuer=_issuer(directory / "issuer.pem", create),
        identity=_identity(directory / "identity.key", create),
        audit=_ring(directory / "audit.keys", AUDIT_BYTES, create),
        cursor=_ring(directory / "cursor.keys", CURSOR_BYTES, create),
        checkpoint=signing_keys(directory, create=create),
    )


def source_keys(directory: Path) -> dict[str, str]:
    """Secrets of sources by name: one file ``sources/<name>`` each, a line; none if no folder.

    KeysError for a file that others may read or that is empty.
    """
    found = {}
    for file in sorted((directory / "sources").glob("*")):
        found[file.name] = _content(file, None).decode("utf-8", "replace").strip()
        if not found[file.name]:
            raise KeysError(f"密钥文件 {file} 为空：请写入该数据源的密钥或口令")
    return found


def note_digest(ring: Mapping[int, bytes], text: str) -> str:
    """What a record says of a free text: HMAC-SHA256 under the newest audit key, hex.

    Whoever has text and keys can tell that it is this one; the digest alone tells nothing, and
    the text can be erased.
    """
    return hmac.digest(ring[max(ring)], b"note\0" + text.encode(), "sha256").hex()


def signing_keys(directory: Path, *, create: bool = False) -> SigningKeys:
    """The keys of checkpoints alone, as the file now is. KeysError."""
    file = directory / CHECKPOINT

    def new() -> bytes:
        return line_of(SigningKey(FIRST_DAY, secrets.token_bytes(SEED_BYTES))).encode()

    lines = _content(file, new if create else None).decode("ascii", "replace").splitlines()
    try:
        return SigningKeys.parse(lines)
    except ValueError:
        raise KeysError(
            f"密钥文件 {file.name} 格式错误：每行须为“起用日 十六进制密钥”，日期递增"
        ) from None


def add_signing_key(directory: Path, key: SigningKey) -> None:
    """Append a key that begins later than all others; the file is exchanged whole. KeysError."""
    file = directory / CHECKPOINT
    lines = _content(file, None).decode("ascii", "replace").splitlines()
    try:
        SigningKeys.parse([*lines, line_of(key)])
    except ValueError:
        raise KeysError(f"密钥文件 {file.name}：新密钥的起用日须晚于已有的各行") from None
    whole = "".join(f"{line.strip()}\n" for line in lines if line.strip()) + line_of(key)
    draft = _draft(file, whole.encode())
    draft.replace(file)


def _issuer(file: Path, create: bool) -> ECKey:
    pem = _content(file, _new_issuer if create else None)
    try:
        key = ECKey.import_key(pem)
    except (JoseError, ValueError):
        raise KeysError(f"密钥文件 {file.name} 不是 PEM 格式的椭圆曲线密钥：请更换") from None
    if key.curve_name != CURVE:
        raise KeysError(f"密钥文件 {file.name} 不是 {CURVE} 曲线的密钥：请更换")
    return key


def _new_issuer() -> bytes:
    return ECKey.generate_key(CURVE, private=True).as_pem(private=True)


def _identity(file: Path, create: bool) -> bytes:
    text = _content(file, _new_identity if create else None)
    return _secret(file, text.decode("ascii", "replace").strip(), IDENTITY_BYTES)


def _new_identity() -> bytes:
    return secrets.token_hex(IDENTITY_BYTES).encode() + b"\n"


def _ring(file: Path, size: int, create: bool) -> Mapping[int, bytes]:
    def new() -> bytes:
        return f"1 {secrets.token_hex(size)}\n".encode()

    ring: dict[int, bytes] = {}
    for line in _content(file, new if create else None).decode("ascii", "replace").splitlines():
        number, _, text = line.partition(" ")
        if not number.isdigit() or int(number) not in RING_NUMBERS or int(number) in ring:
            raise KeysError(
                f"密钥文件 {file.name} 格式错误：每行须为“编号 十六进制密钥”，编号不重复"
            )
        ring[int(number)] = _secret(file, text.strip(), size)
    if not ring:
        raise KeysError(f"密钥文件 {file.name} 为空：请恢复备份")
    return MappingProxyType(ring)


def _secret(file: Path, text: str, size: int) -> bytes:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != size:
        raise KeysError(f"密钥文件 {file.name} 格式错误：密钥须为 {size} 字节的十六进制文本")
    return secret


def _content(file: Path, new: Callable[[], bytes] | None) -> bytes:
    if new is not None and not file.exists():
        _write_once(file, new())
    try:
        mode = file.stat().st_mode
        content = file.read_bytes()
    except FileNotFoundError:
        raise KeysError(f"密钥文件 {file} 不存在：正式环境须由管理员放入") from None
    except OSError:
        raise KeysError(f"密钥文件 {file} 不可读：请检查权限") from None
    if mode & OTHERS:
        raise KeysError(f"密钥文件 {file} 可被他人读取：请执行 chmod 600 {file}")
    return content


def _write_once(file: Path, content: bytes) -> None:
    # Two hubs may start at once: the link is made whole or not at all, and the first one stays.
    draft = _draft(file, content)
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _draft(file: Path, content: bytes) -> Path:
    """A file beside it with the content, on disk, its owner's alone."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return Path(name)
