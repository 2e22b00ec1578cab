"""A client of the Data-Sharing Hub in one file: httpx and the standard library, Python 3.11.

    echo 539922197704129912 | SHARING_URL=http://127.0.0.1:8532 \
        SHARING_TOKEN=$(hub token zhelai-town-01) python hub_client.py

Copy it and change it. What it shows: a token and a purpose with each request, values in variables
and never in the document, errors by their code, what may be tried again and when, pages by cursor.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE_S = 15.0  # the hub ends an operation after ten seconds
TRIES = 4
WAIT_S, LONGEST_S = 0.5, 30.0
PART_MISSING = "SOURCE_UNAVAILABLE"  # beside data: one department did not answer
LATER = 75  # EX_TEMPFAIL: worth trying again

CITIZEN = """
query Citizen($n: String!) {
  citizen(by: { idNumber: $n }) {
    name
    idNumber
    division { name }
    civilAffairs { minLiving { status monthlyAmount } }
    access { field state source }
  }
}
"""
CASES = """
query Cases($after: String) {
  cases(first: 20, after: $after) {
    nodes { caseNo state }
    pageInfo { hasNextPage endCursor }
  }
}
"""


class HubError(Exception):
    """An answer without data. `code` and `reason` are stable words; docs/errors has a page each."""

    def __init__(self, message: str, extensions: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.code: str = extensions.get("code", "INTERNAL")
        self.reason: str | None = extensions.get("reason")
        self.request_id: str = extensions.get("requestId", "")
        self.retryable: bool = extensions.get("retryable", False)


class NotAllowed(HubError):
    """Ask another office, not again: token, purpose, right."""


class MyMistake(HubError):
    """The request is wrong; the same request will be wrong again."""


class NotNow(HubError):
    """The hub or a department cannot answer; later it may."""


KINDS: Mapping[str, type[HubError]] = {
    **dict.fromkeys(("UNAUTHENTICATED", "PURPOSE_REQUIRED", "FORBIDDEN"), NotAllowed),
    **dict.fromkeys(
        (
            "BAD_REQUEST",
            "BAD_USER_INPUT",
            "GRAPHQL_PARSE_FAILED",
            "GRAPHQL_VALIDATION_FAILED",
            "OPERATION_TOO_COMPLEX",
        ),
        MyMistake,
    ),
    **dict.fromkeys(("AUDIT_UNAVAILABLE", "DEADLINE_EXCEEDED", "SOURCE_UNAVAILABLE"), NotNow),
}


@dataclass(frozen=True)
class Answer:
    """`data`, the errors of parts that are missing, and the receipt to keep with a printout."""

    data: Mapping[str, Any]
    missing: tuple[Mapping[str, Any], ...]
    receipt: Mapping[str, Any]
    sandbox: bool


class Hub:
    """One account with one purpose. `token` is called for a new one when the old has expired."""

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        purpose: str,
        *,
        wait: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._token, self._purpose, self._wait = token, purpose, wait
        self._bearer = token()
        self._client = httpx.Client(base_url=url, timeout=PATIENCE_S, transport=transport)

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.close()

    def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        case_no: str | None = None,
    ) -> Answer:
        """One operation. Reading may be repeated, so it is, TRIES times at most. HubError."""
        body = {"query": query, "variables": dict(variables or {})}
        renewed = False
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                response = self._client.post("/graphql", json=body, headers=self._headers(case_no))
            except httpx.TransportError:
                if last:
                    raise
                self._wait(self._pause(attempt, None))
                continue
            error = self._error(response)
            if error is None:
                return self._answer(response)
            if error.reason == "TOKEN_EXPIRED" and not renewed:
                self._bearer, renewed = self._token(), True
                continue
            if not error.retryable or last:
                raise error
            self._wait(self._pause(attempt, response.headers.get("Retry-After")))
        raise AssertionError("the last try returned or raised")

    def pages(self, query: str, root: str) -> Iterator[Mapping[str, Any]]:
        """All nodes of a list, page by page. A cursor belongs to this account and purpose."""
        after = None
        while True:
            page = self.ask(query, {"after": after}).data[root]
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _headers(self, case_no: str | None) -> dict[str, str]:
        found = {
            "Authorization": f"Bearer {self._bearer}",
            "X-Purpose": self._purpose,
            "Accept": "application/graphql-response+json, application/json;q=0.9",
        }
        return found | ({"X-Case-No": case_no} if case_no else {})

    def _pause(self, attempt: int, told: str | None) -> float:
        """What the hub tells, else twice as long each time."""
        wanted = float(told) if told and told.isdigit() else WAIT_S * 2**attempt
        return min(wanted, LONGEST_S)

    def _error(self, response: httpx.Response) -> HubError | None:
        """Why there is no data; None if there is some and only departments' parts are missing."""
        whole = response.json()
        errors = whole.get("errors", ())
        if whole.get("data") is not None:
            errors = [e for e in errors if e["extensions"]["code"] != PART_MISSING]
        for first in errors:
            extensions = first["extensions"]
            return KINDS.get(extensions["code"], HubError)(first["message"], extensions)
        return None

    def _answer(self, response: httpx.Response) -> Answer:
        whole = response.json()
        return Answer(
            whole["data"],
            tuple(whole.get("errors", ())),
            whole["extensions"]["audit"],
            response.headers.get("X-Sandbox") == "true",
        )


def main() -> int:
    """Print one citizen and how many cases there are.

    The id number comes by standard input: what stands in a command line everybody may read.
    """
    token = os.environ["SHARING_TOKEN"]
    purpose = os.environ.get("SHARING_PURPOSE", "aid.file")
    with Hub(os.environ["SHARING_URL"], lambda: token, purpose) as hub:
        try:
            answer = hub.ask(CITIZEN, {"n": sys.stdin.readline().strip()})
            numbers = [case["caseNo"] for case in hub.pages(CASES, "cases")]
        except HubError as error:
            print(
                f"{error.code} {error.reason or ''} {error} ({error.request_id})", file=sys.stderr
            )
            return LATER if isinstance(error, NotNow) else 1
    person = answer.data["citizen"]
    if person is None:
        print("查无此人，或不在辖区")
    else:
        print(person["name"], person["division"]["name"])
        for one in person["access"]:
            print(f"  {one['field']}: {one['state']} ({one['source']})")
    print(f"诉求件 {len(numbers)} 件；回执 {answer.receipt['idx']}" + ("；沙箱" * answer.sandbox))
    return 0


if __name__ == "__main__":
    sys.exit(main())
