"""What the signer of checkpoints remembers, in a file of its own: never in the database.

    signer.json   last note, size and frontier: written whole, on disk before it counts
    signer.lock   whoever holds it signs; the kernel lets go of it when the process ends
    signer.halt   the log was found to be another one: nobody on this machine answers

A database that is set back, cut or exchanged cannot take this memory along. It holds hashes
and sizes alone, nothing about a person.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from audit.note import BadNote, Checkpoint, Note
from audit.suite import suite_in
from audit.tree import Frontier

MODE = 0o600


class Mismatch(StrEnum):
    """How the database is not the one that was signed."""

    SHRUNK = "SHRUNK"  # fewer records than were signed
    EMPTY = "EMPTY"  # no log at all
    OTHER_LOG = "OTHER_LOG"  # a log of another name
    CHANGED = "CHANGED"  # its root is not that of the signed records and those after them
    GAP = "GAP"  # records are missing in the middle
    FORKED = "FORKED"  # another note of the same size
    REPLACED = "REPLACED"  # the file is another one than at the start
    MEMORY = "MEMORY"  # the memory itself is damaged


class RollbackSuspected(Exception):
    """The database does not hold what was signed; `size` is the size it was signed at."""

    def __init__(self, reason: Mismatch, size: int = 0) -> None:
        super().__init__(reason.value)
        self.reason, self.size = reason, size


@dataclass(frozen=True, slots=True)
class Memory:
    """The newest checkpoint as it was signed, and the frontier of its tree.

    `former` are the names this log had before it was started anew, the oldest first.
    """

    log: str
    frontier: Frontier
    note: str
    former: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Records covered."""
        return self.frontier.size

    def text(self) -> str:
        """The file's content: one JSON text."""
        told = {
            "v": 1,
            "log": self.log,
            "size": self.size,
            "frontier": self.frontier.encode().hex(),
            "note": self.note,
            "former": list(self.former),
        }
        return json.dumps(told, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Memory:
        """From `text`; RollbackSuspected MEMORY if its parts do not belong together."""
        try:
            told: dict[str, Any] = json.loads(text)
            raw, suite = bytes.fromhex(told["frontier"]), suite_in(told["log"])
            frontier = Frontier.decode(told["size"], raw, suite)
            found = cls(told["log"], frontier, told["note"], tuple(told["former"]))
            signed = Checkpoint.parse(Note.parse(found.note).text)
        except (ValueError, KeyError, TypeError, BadNote):
            raise RollbackSuspected(Mismatch.MEMORY) from None
        if signed != Checkpoint(found.log, found.size, frontier.root()):
            raise RollbackSuspected(Mismatch.MEMORY)
        return found


@dataclass(frozen=True, slots=True)
class Halt:
    """Why nobody answers: the reason and the size the log was signed at."""

    reason: str
    size: int


class MemoryFile:
    """The three files; `path` is that of the memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_path, self.halt_path = path.with_suffix(".lock"), path.with_suffix(".halt")

    def read(self) -> Memory | None:
        """None if nothing was ever signed here; RollbackSuspected MEMORY, OSError."""
        try:
            return Memory.parse(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise RollbackSuspected(Mismatch.MEMORY) from None

    def write(self, memory: Memory) -> None:
        """On disk, whole, when it returns."""
        _write(self.path, memory.text())

    def halted(self) -> Halt | None:
        """The mark, if it is there; one that says nothing is one, too. OSError."""
        try:
            told = json.loads(self.halt_path.read_text(encoding="utf-8"))
            return Halt(str(told["reason"]), int(told["size"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return Halt(Mismatch.MEMORY, 0)

    def halt(self, halt: Halt) -> None:
        """Set the mark; an earlier one stays."""
        if not self.halt_path.exists():
            told = {"reason": halt.reason, "size": halt.size}
            _write(self.halt_path, json.dumps(told) + "\n")

    def exchange(self, memory: Memory, stamp: str) -> None:
        """Another log begins: what was here stays beside, under names with `stamp`.

        There is no moment without a memory; the mark goes last.
        """
        kept = self.path.with_name(f"{self.path.name}.{stamp}")
        if self.path.exists() and not kept.exists():
            kept.hardlink_to(self.path)
        self.write(memory)
        if self.halt_path.exists():
            self.halt_path.rename(self.halt_path.with_name(f"{self.halt_path.name}.{stamp}"))
            sync_folder(self.path.parent)


class Lock:
    """One holder a machine; taken and let go any number of times."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """True if it is ours now, or was already. OSError if there can be no such file."""
        if self._handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let others have it. The file stays: a new one could be locked beside it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What was renamed in it is on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
