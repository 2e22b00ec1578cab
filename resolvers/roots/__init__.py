"""One file a thing: how a root field's arguments become a Read's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from resolvers.roots import (
    audit,
    bulletins,
    cases,
    citizens,
    complaints,
    corrections,
    stats,
    words,
)
from resolvers.roots.root import Args, Root

ROOTS: Mapping[str, Callable[[Args], Root]] = {
    "citizen": citizens.citizen,
    "citizens": citizens.citizens,
    "household": words.household,
    "division": words.division,
    "divisions": words.divisions,
    "department": words.department,
    "departments": words.departments,
    "dataset": words.dataset,
    "datasets": words.datasets,
    "sources": words.sources,
    "case": cases.case,
    "cases": cases.cases,
    "case_stats": stats.case_stats,
    "supervision_order": cases.supervision_order,
    "supervision_orders": cases.supervision_orders,
    "work_orders": cases.work_orders,
    "timeouts": cases.timeouts,
    "complaint": complaints.complaint,
    "complaints": complaints.complaints,
    "spot_checks": complaints.spot_checks,
    "spot_check_items": complaints.spot_check_items,
    "case_events": cases.case_events,
    "supervision_events": cases.supervision_events,
    "case_counts": stats.case_counts,
    "bulletins": bulletins.bulletins,
    "bulletin_figures": bulletins.bulletin_figures,
    "rankings": bulletins.rankings,
    "correction": corrections.correction,
    "corrections": corrections.corrections,
    "correction_readers": corrections.correction_readers,
    "audit_events": audit.audit_events,
    "subject_access": audit.subject_access,
    "actor_activity": audit.actor_activity,
    "access_summary": audit.access_summary,
    "top_subjects": audit.top_subjects,
    "audit_alerts": audit.audit_alerts,
    "audit_health": audit.audit_health,
    "spot_sample": audit.spot_sample,
    "audit_proof": audit.audit_proof,
    "my_activity": audit.my_activity,
    "my_subject_access": audit.my_subject_access,
}
