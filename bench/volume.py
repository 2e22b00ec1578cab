"""The bench's own volume of cases: 150,000 cases, 400,000 events, 20,000 orders on the county.

The demonstration's county has a true year: 10,800 cases. Numbers are demanded at the volume of
a decade and more, so its cases are repeated for other people of the same village, each copy a
few hours older, until the volume is reached. One adult in eight is drawn from, so that most
who ask have several cases. No chance: the same rows on every machine.
"""

from __future__ import annotations

CASES, EVENTS, ORDERS = 150_000, 400_000, 20_000  # at full scale (plan 7)
COPIES = 20  # of each case at most: more than the volume needs at every scale
DRAWN = 8  # one adult in so many is an applicant of copies
OLDER = "9 hours"  # between a case and its next copy: months keep their shares

APPLICANTS = f"""
CREATE TABLE bench_applicant AS
SELECT id, citizen_uid, household_id, region_path,
       row_number() OVER (PARTITION BY region_path ORDER BY id) - 1 AS place,
       count(*) OVER (PARTITION BY region_path) AS many
  FROM citizen
 WHERE birth < DATE '2008-01-01' AND hashtext(id) % {DRAWN} = 0;
CREATE UNIQUE INDEX ON bench_applicant (region_path, place);
ANALYZE bench_applicant;
"""

CASE_COPIES = """
INSERT INTO case_file
SELECT md5(c.id || k)::uuid::text, c.case_no || '-' || k, c.item, c.state, c.channel, c.intake,
       a.id, a.citizen_uid, a.household_id, c.region_path, c.handling_dept,
       c.filed_at - k * INTERVAL '{older}', c.due_at - k * INTERVAL '{older}',
       c.closed_at - k * INTERVAL '{older}', c.overdue, c.has_complaint, c.body, c.decision
  FROM case_file c
 CROSS JOIN generate_series(1, {copies}) k
  JOIN (SELECT DISTINCT region_path, many FROM bench_applicant) v USING (region_path)
  JOIN bench_applicant a
    ON a.region_path = c.region_path
   AND a.place = abs(hashtext(c.id || '/' || k)::bigint) % v.many
 ORDER BY k, c.id
 LIMIT greatest(0, {cases} - (SELECT count(*) FROM case_file));
"""

EVENT_COPIES = """
INSERT INTO case_event
SELECT md5(e.id || c.id)::uuid::text, c.id, e.seq, e.state,
       e.at - (o.filed_at - c.filed_at), e.post, e.overdue, c.applicant_uid, c.household_id,
       c.region_path, c.handling_dept
  FROM case_file c
  JOIN case_file o ON o.case_no = split_part(c.case_no, '-', 1) AND o.id <> c.id
  JOIN case_event e ON e.case_id = o.id
 ORDER BY e.seq, e.id, c.id
 LIMIT greatest(0, {events} - (SELECT count(*) FROM case_event));
"""

ORDER_COPIES = """
INSERT INTO supervision_order
SELECT md5('order' || c.id)::uuid::text, 'DB' || c.case_no, c.id, o.kind, o.reason, o.state,
       c.filed_at + INTERVAL '20 days', c.filed_at + INTERVAL '23 days', NULL, NULL, NULL, NULL,
       o.expired, NULL, c.applicant_uid, c.household_id, c.region_path, c.handling_dept
  FROM (SELECT *, row_number() OVER (ORDER BY md5(id)) AS n FROM case_file
         WHERE id NOT IN (SELECT case_id FROM supervision_order)) c
  JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS n, count(*) OVER () AS many
          FROM supervision_order) o ON o.n = c.n % o.many
 ORDER BY c.n
 LIMIT greatest(0, {orders} - (SELECT count(*) FROM supervision_order));
"""


def statements(scale: float) -> tuple[str, ...]:
    """The SQL that brings a loaded county of `scale` to its share of the volume, in order."""
    numbers = {
        "older": OLDER,
        "copies": COPIES,
        "cases": round(CASES * scale),
        "events": round(EVENTS * scale),
        "orders": round(ORDERS * scale),
    }
    copies = (text.format(**numbers) for text in (CASE_COPIES, EVENT_COPIES, ORDER_COPIES))
    return (APPLICANTS, *copies, "DROP TABLE bench_applicant")
