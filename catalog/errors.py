"""Every error the hub answers with, in one tree.

    HubError                     code, HTTP status, Chinese message, closed reason
    ├── BadRequest               body or a header cannot be read
    ├── MethodNotAllowed, NotAcceptable, PayloadTooLarge, UnsupportedMediaType
    ├── Unauthenticated          nobody, or nobody we know
    ├── PurposeRequired          no purpose, or a purpose that asks for more
    ├── Forbidden                policy says no; names the office to ask (第二十一条第三项)
    ├── DocumentNotTrusted       a text nobody has approved, or approves no longer
    ├── DocumentUnknown          no document of this client has this id
    ├── NotFound                 no such address or REST interface, nothing to print or to change
    ├── Conflict                 changed meanwhile, not in that state, or another deed's key
    ├── BadUserInput             a value the asker sent is wrong
    ├── ParseFailed, ValidationFailed, TooComplex
    ├── SubscriptionNeedsStream  asked as if one answer could hold it
    ├── RateLimited              too many requests, operations or streams of one account
    ├── SourceUnavailable        one source is down; the rest is answered
    ├── AuditUnavailable         nothing leaves without its record
    ├── DeadlineExceeded
    └── Internal                 says nothing but the request id
    Readable                     one line for the person at the terminal
    └── CatalogError             a word in catalog/ is wrong; the start is refused

A message is Chinese and for people; `code` and `reason` are for programs and never
change their meaning. No message holds a personal value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from catalog.english import english_of


class Readable(Exception):
    """An error whose text is a line for people; programs that start the hub print it and end."""


class CatalogError(Readable):
    """A catalogue file is wrong. One line: file, key, what to do."""

    def __init__(self, file: str, key: str, remedy: str) -> None:
        super().__init__(f"{file}: {key}: {remedy}")
        self.file, self.key, self.remedy = file, key, remedy


LATER = frozenset({"QUOTA", "STALE_POLICY", "ISSUER_DOWN"})
"""Reasons that pass by themselves, whatever their code is like otherwise."""


class HubError(Exception):
    """An answer that is a refusal or a failure."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    english: ClassVar[str] = "internal error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        english: str | None = None,
        **extra: object,
    ) -> None:
        """`english`: the message in English where neither code nor reason says as much."""
        super().__init__(message)
        self.message, self.reason, self.extra = message, reason, extra
        self._english = english

    def extensions(self) -> Mapping[str, Any]:
        """`extensions` of the GraphQL error: code, reason, what the kind adds.

        `retryable`: the same request may succeed later; `docs`: the page of the code.
        """
        named: dict[str, Any] = {
            "code": self.code,
            "messageEn": self._english or english_of(self.code, self.reason) or self.english,
            "retryable": self.retryable or self.reason in LATER,
            "docs": f"docs/errors/{self.code}.md",
        }
        if self.reason is not None:
            named["reason"] = self.reason
        return named | {k: v for k, v in self.extra.items() if v is not None}


class BadRequest(HubError):
    code, status, english = "BAD_REQUEST", 400, "the request body cannot be read"


class MethodNotAllowed(HubError):
    code, status, english = "METHOD_NOT_ALLOWED", 405, "use POST"


class NotAcceptable(HubError):
    code, status, english = "NOT_ACCEPTABLE", 406, "no media type both sides know"


class PayloadTooLarge(HubError):
    code, status, english = "PAYLOAD_TOO_LARGE", 413, "the body is too large"


class UnsupportedMediaType(HubError):
    code, status, english = "UNSUPPORTED_MEDIA_TYPE", 415, "send application/json"


class Unauthenticated(HubError):
    code, status, english = "UNAUTHENTICATED", 401, "no valid token"


class PurposeRequired(HubError):
    code, status, english = "PURPOSE_REQUIRED", 403, "say for what purpose (X-Purpose)"


class Forbidden(HubError):
    code, status, english = "FORBIDDEN", 403, "the policy does not allow this"


class DocumentNotTrusted(HubError):
    code, status, english = "DOCUMENT_NOT_TRUSTED", 403, "the document is not an approved one"


class DocumentUnknown(HubError):
    code, status, english = "DOCUMENT_UNKNOWN", 404, "no such document is registered"


class NotFound(HubError):
    code, status, english = "NOT_FOUND", 404, "there is nothing here"


class Conflict(HubError):
    code, status, english = "CONFLICT", 409, "somebody else has changed it, or it is not so far"


class BadUserInput(HubError):
    code, status, english = "BAD_USER_INPUT", 400, "a value in the request is wrong"


class ParseFailed(HubError):
    code, status, english = "GRAPHQL_PARSE_FAILED", 400, "the document is not GraphQL"


class ValidationFailed(HubError):
    code, status, english = "GRAPHQL_VALIDATION_FAILED", 400, "the document does not fit the schema"


class TooComplex(HubError):
    code, status, english = "OPERATION_TOO_COMPLEX", 400, "the operation is too large"


class SubscriptionNeedsStream(HubError):
    code, status, english = "SUBSCRIPTION_NEEDS_STREAM", 406, "a subscription needs a stream"


class RateLimited(HubError):
    code, status, english = "RATE_LIMITED", 429, "too many requests of this account"
    retryable = True


class SourceUnavailable(HubError):
    code, status, english = "SOURCE_UNAVAILABLE", 503, "a department's system does not answer"
    retryable = True


class AuditUnavailable(HubError):
    code, status, english = "AUDIT_UNAVAILABLE", 503, "the access record cannot be written"
    retryable = True


class DeadlineExceeded(HubError):
    code, status, english = "DEADLINE_EXCEEDED", 504, "the request took too long"
    retryable = True


class Internal(HubError):
    code, status, english = "INTERNAL", 500, "internal error"
