"""A stand-in for Tailscale's command: its arguments, JSON, output, and a Funnel's public end.

Based on the source of Tailscale 1.103 (cmd/tailscale/cli/serve_v2.go, serve_legacy.go, cli.go and
ipn/ipnlocal/serve.go); never compared with the real program. `STAND_IN_STATE` is a folder for its
arguments and the port of its edge; with `STAND_IN_SCENARIO` "off", Funnel is off until the file
`on` exists.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.stand_ins.edge import Edge, lead_to

HOST = "ada-laptop.tail1234.ts.net"
CONSENT_PAGE = "https://login.tailscale.com/f/funnel?node=nXYZ11CNTRL"
SCENARIO = os.environ.get("STAND_IN_SCENARIO", "")
STATE = Path(os.environ.get("STAND_IN_STATE", ""))


def main(arguments: list[str]) -> int:
    with (STATE / "argv").open("a") as file:
        file.write(f"{json.dumps(arguments)}\n")
    if arguments == ["status", "--json", "--peers=false"]:
        print(json.dumps(status(has_funnel=SCENARIO != "off")))
        return 0
    if arguments == ["funnel", "status", "--json"]:
        config = STATE / "serve.json"
        print(config.read_text() if config.exists() else "null")
        return 0
    option, target = arguments[1:]
    return funnel(int(option.removeprefix("--https=")), urlsplit(target).netloc)


def status(state: str = "Running", *, has_funnel: bool = True) -> dict[str, object]:
    ports = "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000"
    own = {
        "HostName": "Ada's laptop",
        "DNSName": f"{HOST}.",
        "Online": True,
        "CapMap": {"https": None} | ({"funnel": None, ports: None} if has_funnel else {}),
    }
    return {"Version": "1.98.9", "BackendState": state, "Self": own}


def funnel(port: int, target: str) -> int:
    if SCENARIO == "off":
        print("\nFunnel is not enabled on your tailnet.\nTo enable, visit:", flush=True)
        print(f"\n         {CONSENT_PAGE}\n", flush=True)
        while not (STATE / "on").exists():
            time.sleep(0.02)
        print("Success.", flush=True)
    edge = Edge(partial(lead_to, target))
    (STATE / "edge").write_text(str(edge.port))
    url = f"https://{HOST}" + (f":{port}" if port != 443 else "")
    print(f"Available on the internet:\n\n{url}/\n|-- proxy http://{target}\n", flush=True)
    print("Press Ctrl+C to exit.", flush=True)
    edge.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
