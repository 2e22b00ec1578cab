"""What an error's reason means, in English, beside its Chinese message: `extensions.messageEn`.

A reason means one thing; where it covers several (the kinds of broken JSON, what is wrong with a
document), whoever raises the error says which. A reason that is not here has its code's sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

_QUERY_LIMIT = "the operation is over the limit `{}`"

REASONS: Mapping[str, Mapping[str, str]] = {
    "BAD_REQUEST": {
        "BODY": "the body did not arrive whole",
        "ENCODING": "the body is not UTF-8",
        "JSON": "the body is not acceptable JSON",
        "SHAPE": "the body must be one JSON object with a text `query` or a documentId; no batches",
        "HEADER": "a header cannot be accepted",
    },
    "UNAUTHENTICATED": {
        "TOKEN_MISSING": "no Authorization header with a bearer token",
        "TOKEN_INVALID": "the token, or its account, is not valid here",
        "TOKEN_EXPIRED": "the token has expired",
        "CERT_UNKNOWN": "the client certificate is not that of a registered, valid client",
        "ISSUER_DOWN": "the keys of the token's issuer cannot be fetched; try again later",
    },
    "PURPOSE_REQUIRED": {
        "MISSING": "name one purpose in X-Purpose: the token allows several",
        "UNKNOWN": "the purpose is not registered, or not among those of the token",
        "BREAK_GLASS_REASON_REQUIRED": "emergency access needs a reason in X-Purpose-Note",
    },
    "FORBIDDEN": {
        "NO_RULE": "no rule gives this post that right",
        "DENIED": "a rule denies it",
        "PURPOSE": "a rule allows it, but not for this purpose",
        "CASE": "a case number is needed, or the one given is none of your business",
        "EXPIRED": "the rule or the grant has expired or not yet begun",
        "REACH": "outside the area of your post",
        "OWNER": "belongs to another department",
        "END_USER": "X-End-User names nobody on the register with a household",
        "FORM": "the form is not of a page of this session; go back and send it again",
        "PERSON": "the console is for persons of the offices; machines use the API",
        "PRINT_SHOWS_MORE": "the stored print shows more than you may see; make your own",
        "QUOTA": "too many look-ups of persons; try again later",
        "PLACED": "these rows lie in another database; they are read here and changed there",
        "STALE_POLICY": "the policy could not be checked, or changed meanwhile; try again later",
    },
    "CONFLICT": {
        "VERSION": "it has been changed meanwhile; read it again and decide anew",
        "STATE": "this cannot be done in the state it is in",
        "IDEMPOTENCY": "the Idempotency-Key was used for another request",
    },
    "BAD_USER_INPUT": {
        "ID_NUMBER": "the id number's length, date or check digit is wrong",
        "CODE_SCHEME": "there is no such division code; use the twelve digits of the NBS",
        "PAGE_SIZE": "the page size is out of range, or both first and last are given",
        "BAD_CURSOR": "the cursor was not given to you for this list, or was changed",
        "CURSOR_STALE": "your rights have changed; start from the first page",
        "FILTER_NOT_CLEAR": "only columns that are clear to you may be filtered or grouped by",
        "DIMENSION": "a dimension is given twice, or both township and village are",
        "REPRESENTATION": "a reference names no entity, or lacks a key of the right type",
        "DATE_TIME": "a time must be ISO 8601 with an offset",
        "PERSON": "a person is named by 32 hex digits here",
        "FIELD": "a field is named like `Citizen.phone`",
        "SAMPLE": "a sample has 1 to 100 records, and the log must have some",
        "UNDECIDED": "the case has no decision yet that could be printed",
        "CUBE": "you may see published tables alone: no further filter, no other dimensions",
    },
    "RATE_LIMITED": {
        "RATE": "too many requests of this account within a minute",
        "CONCURRENCY": "too many operations, connections or streams of this account",
        "SLOW_READER": "changes were not taken fast enough; the subscription has ended",
    },
    "SOURCE_UNAVAILABLE": {
        "DOWN": "a department's system does not answer, or is not connected",
        "TIMEOUT": "a department's system did not answer in time",
        "BREAKER_OPEN": "a department's system kept failing and is left alone for some seconds",
        "OUTAGE_WINDOW": "a department's system is in its announced maintenance",
        "BUSY": "too many requests wait for a department's system",
        "QUOTA": "the calls a department's system allows a day are used up",
        "SCHEMA": "a department's system does not answer as the catalogue says",
        "TLS": "a department's system has no trusted certificate",
    },
    "AUDIT_UNAVAILABLE": {
        "WRITE": "the access record was not written, or not in time",
        "ROLLBACK_SUSPECTED": "the access log is not the one that was signed",
        "QUORUM": "the access log has not been witnessed for too long",
    },
}


def english_of(code: str, reason: str | None) -> str | None:
    """The sentence of a reason; None if the code's own has to do."""
    if code == "OPERATION_TOO_COMPLEX" and reason is not None:
        return _QUERY_LIMIT.format(reason)
    return REASONS.get(code, {}).get(reason or "")
