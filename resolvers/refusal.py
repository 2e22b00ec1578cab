"""Why a Read has no rows for anyone like this asker. Made anew for each: two askers with the
same (empty) rights may lack them for different reasons."""

from __future__ import annotations

from authz.gate import Gate
from catalog.errors import BadUserInput, Forbidden, HubError
from resolvers.grouped import fault
from resolvers.plan import Read


def refused(gate: Gate, read: Read) -> HubError | None:
    """FORBIDDEN for a data set, BAD_USER_INPUT for a filter on a column that is not clear."""
    lens = gate.lens(read.dataset, read.mode, read.identifier)
    if lens.rows.empty:
        verdict = gate.refusal(read.dataset, read.mode, read.identifier)
        return Forbidden(
            f"按现行权限规则，您的岗位不能以此用途查询“{read.dataset.title}”",
            reason=verdict.reason,
            ask=verdict.ask,
        )
    fields = [w.column for w in read.where if w.column in read.dataset.by_name]
    unclear = next((c for c in fields if not lens.filterable(c)), None)
    if unclear is None:
        return fault(read, lens) if read.group is not None else None
    return BadUserInput(f"不能按 `{unclear}` 筛选：该列对您不是明文", reason="FILTER_NOT_CLEAR")
