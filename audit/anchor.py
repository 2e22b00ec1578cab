"""The anchor: a file on another machine or mount, to which every checkpoint is appended.

Each note is followed by an empty line. It is only ever appended to; whoever keeps it can
show what the log was when it was signed.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from audit.note import BadNote, Checkpoint, Note

TAIL_BYTES = 64 * 1024  # the last note lies in here


class Anchor:
    """`path` need not exist yet; its folder must."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> Note | None:
        """The newest note that can be read; None if there is none. OSError."""
        for block in reversed(_notes(self._tail())):
            try:
                note = Note.parse(block)
                Checkpoint.parse(note.text)
            except BadNote:
                continue
            return note
        return None

    def append(self, note: str) -> None:
        """On disk when it returns. OSError."""
        tail = self._tail()
        # A power cut may have left the last line torn: what follows must stand by itself.
        gap = "" if not tail or tail.endswith("\n\n") else "\n" if tail.endswith("\n") else "\n\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(handle, f"{gap}{note}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def _tail(self) -> str:
        try:
            with self.path.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(0, size - TAIL_BYTES))
                return stream.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""


def _notes(text: str) -> list[str]:
    """What may be notes: a block and the block of signatures after it."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [f"{above}\n\n{below.rstrip()}\n" for above, below in pairwise(blocks)]
