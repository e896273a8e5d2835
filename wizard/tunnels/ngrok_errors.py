"""ngrok's error codes and our rules for them."""

from __future__ import annotations

import re

from wizard.findings import Failure, Rule
from wizard.language import Message
from wizard.rules import rule
from wizard.text import one_line
from wizard.tunnel_services import SUSPENDED, SUSPENDED_CODES

DASHBOARD = "https://dashboard.ngrok.com"
TOKEN_PAGE = f"{DASHBOARD}/get-started/your-authtoken"
ERROR_PAGES = "https://ngrok.com/docs/errors"

NO_TOKEN = rule("LA301")
MALFORMED_TOKEN = rule("LA302")
WRONG_TOKEN = rule("LA303")
TOO_MANY_SESSIONS = rule("LA304")
OLD_AGENT = rule("LA305")
ALREADY_ONLINE = rule("LA306")
FOREIGN_DOMAIN = rule("LA307")
TOO_MANY_ENDPOINTS = rule("LA308")
NO_NETWORK = rule("LA309")
SILENT_AGENT = rule("LA310")
AGENT_ENDED = rule("LA311")
BAD_CONFIGURATION = rule("LA312")
NO_DOWNLOAD = rule("LA313")
BROKEN_AGENT = rule("LA314")
REFUSED = rule("LA315")
ACCOUNT_NOT_READY = rule("LA316")
TOKEN_NOT_SAVED = rule("LA317")
NOT_A_DOMAIN = rule("LA318")
PROXY_IS_PAID = rule("LA337")
NO_DEV_DOMAIN = rule("LA338")
OUT_OF_CREDIT = rule("LA340")
NETWORK_REFUSED = rule("LA341")
OPENED_TOO_OFTEN = rule("LA342")

_BY_CODE = {
    **dict.fromkeys((4018,), NO_TOKEN),
    **dict.fromkeys((105, 106, 109), MALFORMED_TOKEN),
    **dict.fromkeys((107, 300), WRONG_TOKEN),
    **dict.fromkeys((108, 348), TOO_MANY_SESSIONS),
    **dict.fromkeys((120, 121), OLD_AGENT),
    **dict.fromkeys((334,), ALREADY_ONLINE),
    **dict.fromkeys((305, 306, 308, 313, 314, 315, 316, 319, 320, 326, 327), FOREIGN_DOMAIN),
    **dict.fromkeys((323, 324, 350), TOO_MANY_ENDPOINTS),
    **dict.fromkeys((123, 382), ACCOUNT_NOT_READY),
    **dict.fromkeys(SUSPENDED_CODES, SUSPENDED),
    **dict.fromkeys((9009,), PROXY_IS_PAID),
    **dict.fromkeys((15013,), NO_DEV_DOMAIN),
    **dict.fromkeys((4026,), OUT_OF_CREDIT),
    **dict.fromkeys((115, 116), NETWORK_REFUSED),
    **dict.fromkeys((349, 351), OPENED_TOO_OFTEN),
}
_CODE = re.compile(r"ERR_NGROK_(\d+)")
_ECHOED_TOKEN = re.compile(r"(Your authtoken: )\S+")
_ESCAPES = {r"\r": "\r", r"\n": "\n", r"\t": "\t", r"\"": '"'}


def rule_of(text: str) -> Rule | None:
    """Return the rule of the error code in ngrok's text, None if there is no code."""
    code = _CODE.search(text)
    return _BY_CODE.get(int(code[1]), REFUSED) if code else None


def failure_of(text: str, *, otherwise: Rule, secrets: tuple[str, ...] = ()) -> Failure:
    """Return ngrok's text as a failure; `otherwise` is the rule for a text without a code."""
    rule = rule_of(text) or otherwise
    code = _CODE.search(text)
    fix = None
    if rule is REFUSED and code:
        fix = Message("See {page}.", page=f"{ERROR_PAGES}/{code[0].lower()}/")
    return rule.failure(readable(text, secrets=secrets), fix=fix)


def readable(text: str, *, secrets: tuple[str, ...] = ()) -> str:
    """Return ngrok's text unescaped on one line, without authtoken and control characters.

    The agent quotes a refused authtoken in full (ERR_NGROK_105 and 107).
    """
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    text = _ECHOED_TOKEN.sub(r"\1***", text)
    return one_line(" ".join(text.split()))
