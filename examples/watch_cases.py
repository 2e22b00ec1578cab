"""Watch a township's cases move: one subscription over a WebSocket, one line an event.

    python examples/watch_cases.py --token TOKEN [--url ws://127.0.0.1:8532/graphql]
                                   [--purpose aid.file] [--area 532622205000] [--count 3]

Needs the package `websockets` alone. Ends with 0 after --count events, with 1 if the hub ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PROTOCOL = "graphql-transport-ws"
QUERY = """
subscription Watch($area: DivisionCode) {
  caseEvents(area: $area) { id seq state at case { caseNo item } }
}
"""


async def watch(given: argparse.Namespace) -> int:
    """Print each event as it comes; the program's exit code."""
    try:
        async with connect(given.url, subprotocols=[PROTOCOL]) as line:
            who = {"authorization": f"Bearer {given.token}", "purpose": given.purpose}
            await send(line, type="connection_init", payload=who)
            payload = {"query": QUERY, "variables": {"area": given.area}}
            return await read(line, payload, given.count)
    except ConnectionClosed as closed:
        print(f"连接关闭：{closed.rcvd and closed.rcvd.code} {closed.rcvd and closed.rcvd.reason}")
        return 1


async def read(line: ClientConnection, payload: dict[str, Any], count: int) -> int:
    """Answer what the hub says until `count` events have come; 0 is without end."""
    seen = 0
    async for text in line:
        message = json.loads(text)
        if message["type"] == "connection_ack":
            await send(line, id="1", type="subscribe", payload=payload)
            print("已订阅，等待办件事件", flush=True)
        elif message["type"] == "ping":
            await send(line, type="pong")
        elif message["type"] == "next":
            seen += 1
            show(message["payload"])
            if seen == count:
                return 0
        elif message["type"] == "error":
            print(f"订阅结束：{message['payload'][0]['message']}")
            return 1
    return 1


def show(payload: dict[str, Any]) -> None:
    """One line an event, with its receipt."""
    event = payload["data"]["caseEvents"]
    receipt = payload["extensions"]["audit"]
    case = event["case"] or {"caseNo": "—", "item": "—"}
    print(
        f"{event['at']} {case['caseNo']} {case['item']} -> {event['state']}"
        f"（回执：第 {receipt['idx']} 条）",
        flush=True,
    )


async def send(line: ClientConnection, **message: object) -> None:
    """One message of the protocol."""
    await line.send(json.dumps(message))


def main() -> int:
    """Read the command line and watch."""
    parser = argparse.ArgumentParser(description="观看办件事件")
    parser.add_argument("--url", default="ws://127.0.0.1:8532/graphql")
    parser.add_argument("--token", required=True)
    parser.add_argument("--purpose", default="aid.file")
    parser.add_argument("--area", help="区划代码；缺省为全部辖区")
    parser.add_argument("--count", type=int, default=0, help="收到几条后结束；0 为一直等待")
    try:
        return asyncio.run(watch(parser.parse_args()))
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
