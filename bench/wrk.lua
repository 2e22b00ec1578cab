-- Bodies from a file, one a line, in turn; every answer is looked at.
--   wrk … -s bench/wrk.lua URL -- BODIES SIGN
-- An answer is wrong without status 200, with an `errors` member, or without SIGN in it.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  requests, at, wrong, answers, bytes, sample = {}, 0, 0, 0, 0, ""
  sign = args[2]
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, nil, line)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status, headers, body)
  answers = answers + 1
  bytes = bytes + #body
  if status ~= 200 or body:find('"errors":', 1, true) or not body:find(sign, 1, true) then
    wrong = wrong + 1
    if sample == "" then sample = status .. " " .. body:sub(1, 300) end
  end
end

function done(summary, latency, _)
  local wrong, answers, bytes, sample = 0, 0, 0, ""
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    answers = answers + thread:get("answers")
    bytes = bytes + thread:get("bytes")
    if sample == "" then sample = thread:get("sample") end
  end
  local e = summary.errors
  local broken = e.connect + e.read + e.write + e.timeout
  io.write(string.format("\nBENCH %d %d %d %d %d %d %d\n", answers, summary.duration,
    latency:percentile(50), latency:percentile(99), wrong, broken, bytes))
  if sample ~= "" then io.write("SAMPLE ", sample:gsub("\n", " "), "\n") end
end
