"""What ngrok refuses, and the way out: the one table of its error codes."""

from __future__ import annotations

import re

from wizard.findings import ExitCode, Failure, Rule, Severity
from wizard.language import Message
from wizard.text import one_line

DASHBOARD = "https://dashboard.ngrok.com"
TOKEN_PAGE = f"{DASHBOARD}/get-started/your-authtoken"
ERROR_PAGES = "https://ngrok.com/docs/errors"

_WHY = Message(
    "LibreChat is reached through the tunnel; without it the browser cannot come back to it."
)


def _rule(number: int, title: str, fix: str, *, why: str = _WHY, code: int = 0) -> Rule:
    source = f"{ERROR_PAGES}/err_ngrok_{code}/" if code else "https://ngrok.com/docs/agent/"
    return Rule(f"LA{number}", Severity.ERROR, title, why, fix, source, ExitCode.TUNNEL)


NO_TOKEN = _rule(
    301,
    "There is no authtoken for ngrok",
    f"Copy your authtoken from {TOKEN_PAGE} (an account is free) and give it to the wizard,"
    " or set NGROK_AUTHTOKEN.",
    why="ngrok opens tunnels only for accounts, and knows yours by its authtoken.",
    code=4018,
)
MALFORMED_TOKEN = _rule(
    302,
    "That is not an ngrok authtoken",
    f"Copy the whole authtoken from {TOKEN_PAGE}; an API key is something else.",
    why="ngrok knows your account by its authtoken.",
    code=105,
)
WRONG_TOKEN = _rule(
    303,
    "The authtoken is unknown to ngrok",
    f"It was reset or revoked, or its account is gone: copy the present one from {TOKEN_PAGE}.",
    why="ngrok knows your account by its authtoken.",
    code=107,
)
TOO_MANY_SESSIONS = _rule(
    304,
    "Your ngrok account runs as many agents as it may",
    f"Stop an agent that you do not need, on any machine: {DASHBOARD}/agents lists them."
    " Then run the command again.",
    code=108,
)
OLD_AGENT = _rule(
    305,
    "The ngrok agent is too old for your account",
    "Run `ngrok update`, or update it with the package manager it came from,"
    " then run the command again.",
    code=121,
)
ALREADY_ONLINE = _rule(
    306,
    "Your ngrok URL is in use already",
    "Stop the agent that holds it, in another terminal or on another machine"
    f" ({DASHBOARD}/agents lists them), or delete the cloud endpoint on it at"
    f" {DASHBOARD}/endpoints. Then run the command again.",
    why="An ngrok URL leads to one endpoint at a time.",
    code=334,
)
FOREIGN_DOMAIN = _rule(
    307,
    "The domain is not one of your ngrok account",
    f"Take the domain that {DASHBOARD}/domains shows for the account of this authtoken,"
    " or give none: ngrok then uses it by itself.",
    why="Every account has one free domain; others are reserved in the dashboard first.",
    code=319,
)
TOO_MANY_ENDPOINTS = _rule(
    308,
    "Your ngrok account has as many endpoints online as it may",
    f"Stop one that you do not need: {DASHBOARD}/endpoints lists them. Then run the command again.",
    code=324,
)
NO_NETWORK = _rule(
    309,
    "The ngrok agent cannot reach its servers",
    "Check the network and the firewall: the agent connects to connect.ngrok-agent.com:443,"
    " through HTTP_PROXY where that is set. Without internet choose --tunnel local.",
)
SILENT_AGENT = _rule(
    310,
    "The ngrok agent did not come up in time",
    "Run `ngrok http 3080` yourself and see what it says; `ngrok diagnose` checks the network.",
)
AGENT_ENDED = _rule(
    311,
    "The ngrok agent ended while it was starting",
    "Run `ngrok http 3080` yourself and see what it says.",
)
BAD_CONFIGURATION = _rule(
    312,
    "The configuration file of ngrok cannot be used",
    "Correct it with `ngrok config edit`; `ngrok config check` tells whether it is right.",
    why="The agent reads its account from it, and the wizard reads the agent's local page.",
)
NO_DOWNLOAD = _rule(
    313,
    "The ngrok agent could not be downloaded",
    "Check the network and HTTPS_PROXY, or install ngrok yourself from"
    " https://ngrok.com/download. Without internet choose --tunnel local.",
    why="The tunnel is opened by ngrok's own program, which is not part of this one.",
)
BROKEN_AGENT = _rule(
    314,
    "The ngrok agent cannot be run",
    "Remove it and run the command again to have it downloaded, or install it from"
    " https://ngrok.com/download.",
)
REFUSED = _rule(
    315,
    "The tunnel was refused by ngrok",
    f"Look the code up at {ERROR_PAGES}/.",
)
ACCOUNT_NOT_READY = _rule(
    316,
    "Your ngrok account cannot be used yet",
    f"Verify your e-mail address at {DASHBOARD}/user/settings and look for what is"
    f" outstanding at {DASHBOARD}.",
    code=123,
)
TOKEN_NOT_SAVED = _rule(
    317,
    "The authtoken could not be saved in ngrok's configuration",
    "Set NGROK_AUTHTOKEN instead, or correct the file with `ngrok config edit`.",
    why="Without it ngrok asks for the authtoken each time.",
)
NOT_A_DOMAIN = _rule(
    318,
    "The ngrok domain is not a host name",
    f"Give it as {DASHBOARD}/domains shows it, for example name.ngrok-free.app.",
)
RULES = (
    NO_TOKEN,
    MALFORMED_TOKEN,
    WRONG_TOKEN,
    TOO_MANY_SESSIONS,
    OLD_AGENT,
    ALREADY_ONLINE,
    FOREIGN_DOMAIN,
    TOO_MANY_ENDPOINTS,
    NO_NETWORK,
    SILENT_AGENT,
    AGENT_ENDED,
    BAD_CONFIGURATION,
    NO_DOWNLOAD,
    BROKEN_AGENT,
    REFUSED,
    ACCOUNT_NOT_READY,
    TOKEN_NOT_SAVED,
    NOT_A_DOMAIN,
)

_BY_CODE = {
    **dict.fromkeys((4018,), NO_TOKEN),
    **dict.fromkeys((105, 106, 109), MALFORMED_TOKEN),
    **dict.fromkeys((107, 300), WRONG_TOKEN),
    **dict.fromkeys((108,), TOO_MANY_SESSIONS),
    **dict.fromkeys((120, 121), OLD_AGENT),
    **dict.fromkeys((334,), ALREADY_ONLINE),
    **dict.fromkeys((305, 306, 308, 313, 314, 315, 316, 319, 320, 326, 327), FOREIGN_DOMAIN),
    **dict.fromkeys((323, 324), TOO_MANY_ENDPOINTS),
    **dict.fromkeys((102, 103, 123), ACCOUNT_NOT_READY),
}
_CODE = re.compile(r"ERR_NGROK_(\d+)")
_ECHOED_TOKEN = re.compile(r"(Your authtoken: )\S+")
_ESCAPES = {r"\r": "\r", r"\n": "\n", r"\t": "\t", r"\"": '"'}


def rule_of(text: str) -> Rule | None:
    """The rule of the error code in ngrok's text, None if there is no code."""
    code = _CODE.search(text)
    return _BY_CODE.get(int(code[1]), REFUSED) if code else None


def failure_of(text: str, *, otherwise: Rule, secrets: tuple[str, ...] = ()) -> Failure:
    """What ngrok says as a failure; `otherwise` is the rule of a text without a known code."""
    rule = rule_of(text) or otherwise
    code = _CODE.search(text)
    fix = None
    if rule is REFUSED and code:
        fix = Message("See {page}.", page=f"{ERROR_PAGES}/{code[0].lower()}/")
    return rule.failure(readable(text, secrets=secrets), fix=fix)


def readable(text: str, *, secrets: tuple[str, ...] = ()) -> str:
    """What ngrok says on one line, its escapes undone, without an authtoken or control characters.

    The agent repeats a refused authtoken in the clear (ERR_NGROK_105 and 107).
    """
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    text = _ECHOED_TOKEN.sub(r"\1***", text)
    return one_line(" ".join(text.split()))
