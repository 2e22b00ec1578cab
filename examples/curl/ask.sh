#!/bin/sh
# One question by curl, its errors told apart by code. POSIX sh; python3 only to read JSON.
#   echo 539922197704129912 | SHARING_URL=http://127.0.0.1:8532 SHARING_TOKEN=… ./ask.sh
# Exit: 0 data; 1 refused or wrong; 2 usage; 75 (EX_TEMPFAIL) worth trying again later.
set -eu

if [ -z "${SHARING_URL:-}" ] || [ -z "${SHARING_TOKEN:-}" ]; then
    echo "usage: echo ID_NUMBER | SHARING_URL=http://… SHARING_TOKEN=… $0" >&2
    exit 2
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Number and token go through files that only we read: no command line and no address holds them.
umask 077
python3 -c '
import json, sys

query = """query Citizen($n: String!) {
  citizen(by: {idNumber: $n}) { name division { name } access { field state source } }
}"""
print(json.dumps({"query": query, "variables": {"n": sys.stdin.readline().strip()}}))
' >"$folder/question.json"
printf 'header = "Authorization: Bearer %s"\n' "$SHARING_TOKEN" >"$folder/curl.conf"

status=$(curl -sS --max-time 15 --config "$folder/curl.conf" \
    -H 'Content-Type: application/json' -H 'Accept: application/json' \
    -H "X-Purpose: ${SHARING_PURPOSE:-aid.file}" \
    --data-binary "@$folder/question.json" \
    -o "$folder/answer.json" -w '%{http_code}' "$SHARING_URL/graphql") || exit 75

# By data and code, not by status alone: plain JSON tells many errors with 200.
HTTP_STATUS="$status" python3 - "$folder/answer.json" <<'PYTHON'
import json, os, sys

answer = json.load(open(sys.argv[1], encoding="utf-8"))
missing = [e for e in answer.get("errors", []) if e["extensions"]["code"] == "SOURCE_UNAVAILABLE"]
wrong = [e for e in answer.get("errors", []) if answer.get("data") is None or e not in missing]
for error in wrong[:1]:
    told = error["extensions"]
    words = [os.environ["HTTP_STATUS"], told["code"], told.get("reason", ""), error["message"]]
    print(*filter(None, words), f"({told['requestId']})", file=sys.stderr)
    sys.exit(75 if told["retryable"] else 1)
for error in missing:  # a department that did not answer; the rest is there
    print("缺:", error["extensions"]["code"], error["extensions"].get("source", ""), file=sys.stderr)
print(json.dumps(answer["data"], ensure_ascii=False))
print("回执", answer["extensions"]["audit"]["idx"], file=sys.stderr)
PYTHON
