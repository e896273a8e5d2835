"""The running LibreChat: whether it answers, and whether it runs with the values of the `.env`.

LibreChat counts every request to `/oauth/*` as a login and takes seven in five minutes
(api/server/middleware/limiters/loginLimiter.js), so `look_at_instance` makes one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from wizard.findings import Finding, Rule
from wizard.http import (
    PAST_TUNNEL_PAGES,
    WAITING,
    WAITING_HEADER,
    HttpClient,
    NetworkError,
    Response,
    Trouble,
)
from wizard.language import Message, sentences
from wizard.librechat.characters import SPACES, URL_SPACES
from wizard.librechat.variables import is_enabled
from wizard.rules import rule
from wizard.settings import host_of, is_loopback
from wizard.text import shortened
from wizard.threads import begin
from wizard.tunnel_services import OTHER_PORT, REFUSALS, refusal_of, why_closed

NOT_RUNNING = rule("LA520")
OTHER_PROGRAM = rule("LA521")
SIGN_IN_OFF = rule("LA522")
BUTTON_HIDDEN = rule("LA523")
OTHER_VALUES = rule("LA524")
OTHER_LOOKS = rule("LA525")
NO_STRATEGY = rule("LA526")
NO_COOKIE = rule("LA527")
COOKIE_NOT_SECURE = rule("LA528")
ODD_ANSWER = rule("LA529")
PUBLIC_URL_GONE = rule("LA530")
PUBLIC_URL_UNSEEN = rule("LA531")
PUBLIC_URL_ELSEWHERE = rule("LA532")
RATE_LIMITED = rule("LA533")
NOT_READY = rule("LA535")
PUBLIC_URL_UNTRUSTED = rule("LA534")

_SHOWN_LENGTH = 120
_UNTRUSTED = (Trouble.UNTRUSTED, Trouble.WRONG_NAME, Trouble.WRONG_TIME)


class Reply(NamedTuple):
    """The response of a URL, or the network error."""

    url: str
    response: Response | None = None
    error: NetworkError | None = None

    @property
    def status(self) -> int:
        """The HTTP status, 0 without a response."""
        return self.response.status if self.response else 0

    @property
    def config(self) -> Mapping[str, object] | None:
        """LibreChat's start-up configuration; None if another program answered."""
        body = self.response.json_object() if self.response and self.status == 200 else None
        return body if body is not None and "serverDomain" in body else None

    @property
    def is_of_local_tunnel(self) -> bool:
        """Whether our own tunnel answered, waiting for LibreChat."""
        headers = self.response.headers if self.response else {}
        return headers.get(WAITING_HEADER) == WAITING

    @property
    def sent(self) -> Mapping[str, str]:
        """The parameters of LibreChat's redirect to Auth0; empty without one."""
        location = self.response.location if self.response else ""
        query = parse_qs(urlsplit(location).query, keep_blank_values=True)
        return {name: values[0] for name, values in query.items()} if "client_id" in query else {}

    @property
    def session_cookie(self) -> str | None:
        """The attributes of the session cookie, None if none was set."""
        cookies = self.response.set_cookies if self.response else ()
        return next(
            (each.partition(";")[2].lower() for each in cookies if each.startswith("connect.sid=")),
            None,
        )


class Instance(NamedTuple):
    """The responses of a LibreChat.

    Attributes:
        local: its configuration, asked at its port.
        health: what its port says to /health; None where the configuration came, or nothing.
        public: as `local`, through the public URL; None where that is the port or unknown.
        sign_in: the one click on the button; None where LibreChat was not found.
    """

    local: Reply
    health: Reply | None = None
    public: Reply | None = None
    sign_in: Reply | None = None

    @property
    def config(self) -> Mapping[str, object] | None:
        """LibreChat's configuration, None if it is not running."""
        if self.local.config is not None:
            return self.local.config
        return self.public.config if self.public else None

    @property
    def came_through_public_url(self) -> bool:
        """Whether the sign-in was requested through the public URL."""
        return bool(self.public and self.sign_in and self.sign_in.url.startswith(self.public_url))

    @property
    def public_url(self) -> str:
        """The public origin, "" if it was not requested."""
        return self.public.url.removesuffix("/api/config") if self.public else ""


def look_at_instance(http: HttpClient, port: int, public_url: str) -> Instance:
    """Request the LibreChat at `port`, directly and through its public URL.

    Args:
        http: the network; used from two threads.
        port: LibreChat's port on this machine.
        public_url: `DOMAIN_SERVER`, "" to leave that way out.
    """
    local_url = f"http://localhost:{port}"
    is_origin = re.match(r"https?://[^/?#\s]+\Z", public_url) is not None
    goes_by_public = is_origin and public_url != local_url
    local = begin(_ask, http, f"{local_url}/api/config")
    through = (
        begin(_ask, http, f"{public_url}/api/config", PAST_TUNNEL_PAGES) if goes_by_public else None
    )
    config = local.result()
    is_other = config.response is not None and config.config is None
    health = _ask(http, f"{local_url}/health") if is_other else None
    instance = Instance(config, health, through.result() if through else None)
    if instance.public and instance.public.config:
        sign_in = _ask(http, f"{public_url}/oauth/openid", PAST_TUNNEL_PAGES)
    elif instance.local.config:
        # As the proxy would for a visitor, whose HTTPS does not work now.
        forwarded = {"X-Forwarded-Proto": "https"} if public_url.startswith("https:") else {}
        sign_in = _ask(http, f"{local_url}/oauth/openid", forwarded)
    else:
        return instance
    return instance._replace(sign_in=sign_in)


def why_public_url_is_gone(http: HttpClient, public_url: str) -> Finding | None:
    """LA530: return the proof that nothing is at the public URL, None without one."""
    reply = _ask(http, f"{public_url}/api/config", PAST_TUNNEL_PAGES)
    return next(_public_url_gone(Instance(Reply(""), public=reply), {}), None)


def expects_secure_cookie(values: Mapping[str, str]) -> bool:
    """Whether LibreChat in production marks its cookies Secure (`shouldUseSecureCookie`)."""
    setting = values.get("SESSION_COOKIE_SECURE", "").strip(SPACES).lower()
    if setting in {"true", "false"}:
        return setting == "true"
    return not is_loopback(values.get("DOMAIN_SERVER", ""))


def has_sign_in(values: Mapping[str, str]) -> bool:
    """Whether LibreChat would show the button (api/server/routes/config.js, isOpenIdEnabled)."""
    needed = ("OPENID_CLIENT_ID", "OPENID_ISSUER", "OPENID_SESSION_SECRET")
    has_secret = bool(values.get("OPENID_CLIENT_SECRET", "").strip(SPACES))
    return (
        is_enabled(values, "ALLOW_SOCIAL_LOGIN")
        and all(values.get(name) for name in needed)
        and (has_secret or is_enabled(values, "OPENID_USE_PKCE"))
    )


def _ask(http: HttpClient, url: str, headers: Mapping[str, str] | None = None) -> Reply:
    try:
        return Reply(url, response=http.request("GET", url, headers=headers))
    except NetworkError as error:
        return Reply(url, error=error)


def _not_running(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    if instance.config is None and instance.local.error is not None:
        yield NOT_RUNNING.finding(_came_from(instance.local.url, instance.local))


def _is_healthy(instance: Instance) -> bool:
    response = instance.health.response if instance.health else None
    return response is not None and response.status == 200 and response.text.strip() == "OK"


def _not_ready(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    if instance.config is None and _is_healthy(instance):
        yield NOT_READY.finding(_came_from(instance.local.url, instance.local))


def _other_program(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    if instance.config is None and instance.local.response and not _is_healthy(instance):
        yield OTHER_PROGRAM.finding(_came_from(instance.local.url, instance.local))


def _sign_in_off(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    config = instance.config
    if config is None or not has_sign_in(values):
        return
    for key in ("socialLoginEnabled", "openidLoginEnabled"):
        if config.get(key) is False:
            yield SIGN_IN_OFF.finding(Message("/api/config says {key}: false.", key=key))
            return


def _button_hidden(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    logins = (instance.config or {}).get("socialLogins")
    if isinstance(logins, list) and "openid" not in logins and has_sign_in(values):
        shown = _cut(", ".join(map(str, logins))) or Message("none")
        yield BUTTON_HIDDEN.finding(Message("It shows: {logins}.", logins=shown))


def _other_values(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    for name, running in _running_values(instance, values):
        expected = _expected(name, values)
        if expected and running != expected:
            detail = Message(
                "{name}: LibreChat has {running}, the .env {expected}.",
                name=name,
                running=_cut(running) or Message("nothing"),
                expected=expected,
            )
            yield OTHER_VALUES.finding(detail, variable=name)


def _running_values(instance: Instance, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that LibreChat's responses reveal, in the form of the `.env`."""
    if instance.config is not None:
        yield "DOMAIN_SERVER", str(instance.config["serverDomain"])
    if instance.sign_in is None or not (sent := instance.sign_in.sent):
        return
    yield "OPENID_CLIENT_ID", sent["client_id"]
    server = values.get("DOMAIN_SERVER", "")
    redirect_uri = sent.get("redirect_uri", "")
    if redirect_uri.startswith(server):
        yield "OPENID_CALLBACK_URL", redirect_uri.removeprefix(server)
    yield "OPENID_SCOPE", _words(sent.get("scope", ""))
    yield "OPENID_AUDIENCE", sent.get("audience", "")
    location = instance.sign_in.response.location if instance.sign_in.response else ""
    issuer = host_of(values.get("OPENID_ISSUER", ""))
    # Auth0 signs users in at the issuer's own host; other providers may not.
    if issuer.endswith(".auth0.com") or host_of(location).endswith(".auth0.com"):
        yield "OPENID_ISSUER", host_of(location)


def _expected(name: str, values: Mapping[str, str]) -> str:
    value = values.get(name, "")
    match name:
        case "OPENID_SCOPE":
            return _words(value)
        case "OPENID_AUDIENCE":
            return next(filter(None, (part.strip(SPACES) for part in value.split(","))), "")
        case "OPENID_ISSUER":
            return host_of(value.strip(URL_SPACES))
        case _:
            return value


def _words(scope: str) -> str:
    """The scopes in a fixed order, separated as in RFC 6749, 3.3."""
    return " ".join(sorted(filter(None, scope.split(" "))))


def _other_looks(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    config = instance.config or {}
    label = values.get("OPENID_BUTTON_LABEL", "").strip()
    running = config.get("openidLabel")
    if label and isinstance(running, str) and running != label:
        detail = Message(
            "{name}: LibreChat shows “{running}”, the .env “{expected}”.",
            name="OPENID_BUTTON_LABEL",
            running=_cut(running),
            expected=_cut(label),
        )
        yield OTHER_LOOKS.finding(detail, variable="OPENID_BUTTON_LABEL")


def _no_strategy(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    config = instance.config or {}
    has_button = config.get("openidLoginEnabled") and config.get("socialLoginEnabled") is not False
    if instance.sign_in and instance.sign_in.status == 500 and has_button:
        yield NO_STRATEGY.finding(_came_from(instance.sign_in.url, instance.sign_in))


def _no_cookie(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    reply = instance.sign_in
    if reply and reply.sent and instance.came_through_public_url and reply.session_cookie is None:
        detail = Message("{url} redirects to Auth0 without setting connect.sid.", url=reply.url)
        yield NO_COOKIE.finding(detail)


def _cookie_not_secure(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    reply = instance.sign_in
    if reply is None or not instance.came_through_public_url or reply.session_cookie is None:
        return
    is_secure = "secure" in re.split(r"[;\s]+", reply.session_cookie)
    is_public = not is_loopback(instance.public_url) and reply.url.startswith("https:")
    if is_public and not is_secure:
        detail = sentences(
            "connect.sid comes without Secure.",
            "" if expects_secure_cookie(values) else Message("SESSION_COOKIE_SECURE is false."),
        )
        yield COOKIE_NOT_SECURE.finding(detail)


def _odd_answer(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    reply = instance.sign_in
    config = instance.config or {}
    if reply is None or reply.sent or not config.get("openidLoginEnabled"):
        return
    if reply.status in {429, 500} or not has_sign_in(values):
        return
    yield ODD_ANSWER.finding(_came_from(reply.url, reply))


def _public_url_gone(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    if instance.public and (reason := _why_gone(instance.public)):
        detail = Message("{url}: {reason}.", url=instance.public_url, reason=reason)
        yield PUBLIC_URL_GONE.finding(detail, variable="DOMAIN_SERVER")


def _why_gone(public: Reply) -> str:
    """The proof that nothing is there, "" without one."""
    if public.error is not None:
        is_ours = is_loopback(public.url) and public.error.trouble is Trouble.REFUSED
        is_gone = is_ours or public.error.trouble is Trouble.NAME
        return public.error.trouble.value if is_gone else ""
    return why_closed(public.url, public.response) if public.response else ""


def _tunnel_refuses(rule: Rule) -> InstanceJudge:
    """Return the judge of the tunnel service's own error pages that this rule is for."""

    def judge(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
        found, code = _refusal(instance.public)
        is_down = instance.local.error is not None  # LA520
        if instance.public and found is rule and not (is_down and rule is OTHER_PORT):
            detail = Message("{url}: ngrok shows {code}.", url=instance.public_url, code=code)
            yield rule.finding(detail, variable="DOMAIN_SERVER")

    return judge


def _refusal(public: Reply | None) -> tuple[Rule | None, str]:
    return refusal_of(public.response) if public and public.response else (None, "")


def _public_url_unseen(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    public = instance.public
    if public is None or public.config is not None or _why_gone(public) or _refusal(public)[0]:
        return
    is_untrusted = public.error is not None and public.error.trouble in _UNTRUSTED
    if not (is_untrusted or public.is_of_local_tunnel or _leads_elsewhere(instance)):
        yield PUBLIC_URL_UNSEEN.finding(_came_from(instance.public_url, public))


def _public_url_untrusted(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    public = instance.public
    if public and public.error is not None and public.error.trouble in _UNTRUSTED:
        yield PUBLIC_URL_UNTRUSTED.finding(_came_from(instance.public_url, public))


def _public_url_elsewhere(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    if instance.public is None or not _leads_elsewhere(instance):
        return
    url, other = instance.public_url, instance.public.config
    yield PUBLIC_URL_ELSEWHERE.finding(
        Message(
            "{url} is the LibreChat of {other}.", url=url, other=_cut(str(other["serverDomain"]))
        )
        if other
        else Message(
            "{url} answers with status {status}, although LibreChat runs.",
            url=url,
            status=instance.public.status,
        )
    )


def _leads_elsewhere(instance: Instance) -> bool:
    """Whether LibreChat runs here and another server answers at the public URL."""
    local, public = instance.local.config, instance.public
    if local is None or public is None or public.response is None or _why_gone(public):
        return False
    if _refusal(public)[0]:
        return False
    if public.config is not None:
        return public.config["serverDomain"] != local["serverDomain"]
    return public.status in {404, 502, 503, 504}


def _rate_limited(instance: Instance, _: Mapping[str, str]) -> Iterator[Finding]:
    if instance.sign_in and instance.sign_in.status == 429:
        yield RATE_LIMITED.finding(_came_from(instance.sign_in.url, instance.sign_in))


def _came_from(url: str, reply: Reply) -> Message:
    """The response of the URL, in one sentence."""
    if reply.error is not None:
        return Message("{url}: {reason}.", url=url, reason=reply.error.trouble.value)
    return Message("{url}: status {status}.", url=url, status=reply.status)


def _cut(text: str) -> str:
    return shortened(text, _SHOWN_LENGTH)


InstanceJudge = Callable[[Instance, Mapping[str, str]], Iterator[Finding]]

INSTANCE_CHECKS: tuple[tuple[Rule, InstanceJudge], ...] = (
    (PUBLIC_URL_GONE, _public_url_gone),
    *((rule, _tunnel_refuses(rule)) for rule in REFUSALS),
    (PUBLIC_URL_ELSEWHERE, _public_url_elsewhere),
    (SIGN_IN_OFF, _sign_in_off),
    (BUTTON_HIDDEN, _button_hidden),
    (OTHER_VALUES, _other_values),
    (NO_STRATEGY, _no_strategy),
    (NO_COOKIE, _no_cookie),
    (ODD_ANSWER, _odd_answer),
    (OTHER_PROGRAM, _other_program),
    (NOT_READY, _not_ready),
    (PUBLIC_URL_UNTRUSTED, _public_url_untrusted),
    (PUBLIC_URL_UNSEEN, _public_url_unseen),
    (COOKIE_NOT_SECURE, _cookie_not_secure),
    (OTHER_LOOKS, _other_looks),
    (RATE_LIMITED, _rate_limited),
    (NOT_RUNNING, _not_running),
)
