"""A stand-in for the auth0 CLI 1.33: `auth0 api METHOD PATH`, following internal/cli/api.go.

It stores its sign-in where the real one does, sends the request and prints the response body as
indented JSON. An error's status and body become its own error. To find a missing scope, it reads
the body of a 403, and then has only the status in words. Where it sees an AI agent, it deletes
nothing without --force. Each call is logged as a line of JSON in the file named by STAND_IN_LOG.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> int:
    with Path(os.environ["STAND_IN_LOG"]).open("a") as log:
        log.write(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ)}) + "\n")
    parser = argparse.ArgumentParser("auth0")
    commands = parser.add_subparsers(dest="command", required=True)
    api = commands.add_parser("api")
    api.add_argument("--tenant", default="")
    api.add_argument("--no-input", action="store_true")
    api.add_argument("--no-color", action="store_true")
    api.add_argument("--data", default="")
    api.add_argument("--force", action="store_true")
    api.add_argument("method")
    api.add_argument("path")
    asked = parser.parse_args()
    data = asked.data.encode() or (b"" if sys.stdin.isatty() else sys.stdin.buffer.read())
    if asked.method == "delete" and "CLAUDECODE" in os.environ and not asked.force:
        return failed("This is a destructive command; re-run with --force to proceed.")

    config = Path(os.environ["HOME"]) / ".config" / "auth0" / "config.json"
    if not config.is_file():
        return failed("Not logged in. Try 'auth0 login'.")
    known = json.loads(config.read_bytes())
    tenant = asked.tenant or known["default_tenant"]
    if tenant not in known["tenants"]:
        return failed(
            f"Unable to find tenant: {tenant}; run 'auth0 tenants use' to see your configured"
            " tenants or run 'auth0 login' to configure a new tenant"
        )
    request = urllib.request.Request(
        f"https://{tenant}/api/v2/{asked.path.strip('/')}",
        method=asked.method.upper(),
        data=data or None,
        headers={
            "Authorization": f"Bearer {known['tenants'][tenant]['access_token']}",
            "Content-Type": "application/json",
        },
    )
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
        if error.code == 403:
            said = json.loads(body)
            if said.get("errorCode") == "insufficient_scope":
                scope = said["message"].partition("any of: ")[2].partition(",")[0]
                return failed(f"Request failed because access token lacks scope: {scope}.")
            body = b""
        said = body.decode().strip() or error.reason
        return failed(f"{error.code}: API request failed: {said}.")
    except http.client.HTTPException:
        return failed("Unexpected EOF.")
    except OSError as error:
        return failed(f"Failed to send request: {error}.")
    if body:
        print(json.dumps(json.loads(body), indent=2))
    return 0


def failed(reason: str) -> int:
    print(f"\n=== a tenant error\n\n ▸    {reason}\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
