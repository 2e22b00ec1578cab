"""Is the log what was written? Reads every body and trusts nothing that is derived.

    walk.py         windows, one read transaction, the order of the judgements
    bodies.py       hash, canonical form, columns, the writer's own sequence and time
    checkpoints.py  signed checkpoints, notes and receipts from outside, cadence
    cosignatures.py what witnesses signed of them
    tiles.py        whole tiles of the tree
    segments.py     archived segments, where the records in the store begin
    subjects.py     the subject index and its cursor
    rollup.py       the roll-up by hour
    alerts.py       alerts and the records of their raising and handling
    evidence.py     what the verifier was given: dated keys, files from outside
    verdict.py      findings, four verdicts, exit codes

Four verdicts are kept apart. *integrity*: what is there is what was written. *anchoring*: it
is what was signed, and signed in time. *completeness*: nothing is missing. *indexes*: what is
derived for searches and proofs says the same. Without a note or receipt from outside, a
history that was rewritten by who holds the signing key cannot be seen (audit T3, T5).
"""

from audit.verify.evidence import BadEvidence, DatedKey, Evidence, dated_keys
from audit.verify.verdict import MILD, Code, Exit, Finding, Verdicts
from audit.verify.walk import CannotRead, NoCheckpoint, check, keep, run

__all__ = [
    "MILD",
    "BadEvidence",
    "CannotRead",
    "Code",
    "DatedKey",
    "Evidence",
    "Exit",
    "Finding",
    "NoCheckpoint",
    "Verdicts",
    "check",
    "dated_keys",
    "keep",
    "run",
]
