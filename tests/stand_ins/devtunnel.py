"""A stand-in for Microsoft's devtunnel: its arguments, JSON, output and public end.

The output follows Microsoft's documentation and recordings by others, see
`wizard/tunnels/devtunnel.py`; it was never compared with the real program. `STAND_IN_STATE` is a
folder for its arguments and the port of its edge; `STAND_IN_SCENARIO` is the form of its output.

SIGUSR1 cuts the connection to Microsoft, SIGUSR2 restores it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.stand_ins.edge import Edge, lead_to

SCENARIO = os.environ.get("STAND_IN_SCENARIO", "")
STATE = Path(os.environ["STAND_IN_STATE"])
RECORDED = {
    "": """\
Connection to host tunnel relay restored.
Hosting port: {port}
Connect via browser: https://7m667npm-{port}.usw2.devtunnels.ms
Inspect network activity: https://7m667npm-{port}-inspect.usw2.devtunnels.ms

Ready to accept connections for tunnel: neat-lake-7x8gj9s.usw2""",
    "recorded-2024": """\
Hosting port: {port}
Connect via browser: https://7m667npm.usw2.devtunnels.ms:{port}, \
https://7m667npm-{port}.usw2.devtunnels.ms
Inspect network activity: https://7m667npm-{port}-inspect.usw2.devtunnels.ms

Ready to accept connections for tunnel: neat-lake-7x8gj9s.usw2""",
    "documented-2025": """\
Connecting to host tunnel relay wss://usw2-data.rel.tunnels.api.visualstudio.com/api/v1/Host/Connect
Hosting port {port} at https://7m667npm.usw2.devtunnels.ms:{port}/, \
https://7m667npm-{port}.usw2.devtunnels.ms/ and inspect it at \
https://7m667npm-{port}-inspect.usw2.devtunnels.ms/
Ready to accept connections for tunnel: neat-lake-7x8gj9s""",
}


def main(arguments: list[str]) -> int:
    with (STATE / "argv").open("a") as file:
        file.write(f"{json.dumps(arguments)}\n")
    if arguments == ["user", "show", "--json"]:
        print(json.dumps({"status": "Logged in", "provider": "github", "username": "ada"}))
        return 0
    port = dict(pairwise(arguments))["-p"]
    edge = Edge(partial(lead_to, f"127.0.0.1:{port}"))
    (STATE / "edge").write_text(str(edge.port))
    lost = "Connection to host tunnel relay closed. Connection lost.. Reconnecting."
    signal.signal(signal.SIGUSR1, lambda *_: print(lost, flush=True))
    restored = "Connection to host tunnel relay restored."
    signal.signal(signal.SIGUSR2, lambda *_: print(restored, flush=True))
    print(RECORDED[SCENARIO].format(port=port), flush=True)
    edge.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
