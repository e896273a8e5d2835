"""The running LibreChat: whether it answers, and whether it runs with the values of the `.env`.

LibreChat counts every request to `/oauth/*` as a login and takes seven in five minutes
(api/server/middleware/limiters/loginLimiter.js), so `look_at_instance` makes one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wizard.findings import Finding
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
from wizard.settings import host_of, is_loopback, query_of
from wizard.system.threads import begin
from wizard.text import shortened
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
# In the order to fix their findings.
INSTANCE_RULES = (
    PUBLIC_URL_GONE,
    *REFUSALS,
    PUBLIC_URL_ELSEWHERE,
    SIGN_IN_OFF,
    BUTTON_HIDDEN,
    OTHER_VALUES,
    NO_STRATEGY,
    NO_COOKIE,
    ODD_ANSWER,
    OTHER_PROGRAM,
    NOT_READY,
    PUBLIC_URL_UNTRUSTED,
    PUBLIC_URL_UNSEEN,
    COOKIE_NOT_SECURE,
    OTHER_LOOKS,
    RATE_LIMITED,
    NOT_RUNNING,
)

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
        query = query_of(location)
        return query if "client_id" in query else {}

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
    """Request the LibreChat at `port`, directly and through its public URL, if there is one."""
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
    found = _of_public_url(Instance(Reply(""), public=reply))
    return next((each for each in found if each.rule is PUBLIC_URL_GONE), None)


def _expects_secure_cookie(values: Mapping[str, str]) -> bool:
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


def judge_instance(instance: Instance, values: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong with the running LibreChat, in the order to fix it."""
    found = (
        *_of_public_url(instance),
        *_of_configuration(instance, values),
        *_of_values(instance, values),
        *_of_sign_in(instance, values),
        *_of_port(instance),
    )
    return sorted(found, key=lambda each: INSTANCE_RULES.index(each.rule))


def _of_port(instance: Instance) -> Iterator[Finding]:
    if instance.config is None:
        health = instance.health.response if instance.health else None
        is_healthy = health is not None and health.status == 200 and health.text.strip() == "OK"
        rule = NOT_READY if is_healthy else OTHER_PROGRAM
        rule = NOT_RUNNING if instance.local.error else rule
        yield rule.finding(_came_from(instance.local.url, instance.local))


def _of_public_url(instance: Instance) -> Iterator[Finding]:
    public, url = instance.public, instance.public_url
    if public is None:
        return
    if reason := _why_gone(public):
        detail = Message("{url}: {reason}.", url=url, reason=reason)
        yield PUBLIC_URL_GONE.finding(detail, variable="DOMAIN_SERVER")
        return
    refusal, code = refusal_of(public.response) if public.response else (None, "")
    if refusal is not None:
        is_down = instance.local.error is not None  # LA520
        if not (is_down and refusal is OTHER_PORT):
            detail = Message("{url}: ngrok shows {code}.", url=url, code=code)
            yield refusal.finding(detail, variable="DOMAIN_SERVER")
    elif public.error is not None and public.error.trouble in _UNTRUSTED:
        yield PUBLIC_URL_UNTRUSTED.finding(_came_from(url, public))
    elif elsewhere := _where_it_leads(instance.local, public, url):
        yield PUBLIC_URL_ELSEWHERE.finding(elsewhere)
    elif public.config is None and not public.is_of_local_tunnel:
        yield PUBLIC_URL_UNSEEN.finding(_came_from(url, public))


def _why_gone(public: Reply) -> str:
    """The proof that nothing is there, "" without one."""
    if public.error is not None:
        is_ours = is_loopback(public.url) and public.error.trouble is Trouble.REFUSED
        is_gone = is_ours or public.error.trouble is Trouble.NAME
        return public.error.trouble.value if is_gone else ""
    return why_closed(public.url, public.response) if public.response else ""


def _where_it_leads(local: Reply, public: Reply, url: str) -> Message | None:
    """Return which other server is at the public URL while LibreChat runs here, None for none."""
    if local.config is None:
        return None
    if public.config is not None:
        other = public.config["serverDomain"]
        is_same = other == local.config["serverDomain"]
        found = Message("{url} is the LibreChat of {other}.", url=url, other=_cut(str(other)))
        return None if is_same else found
    if public.status not in {404, 502, 503, 504}:
        return None
    return Message(
        "{url} answers with status {status}, although LibreChat runs.",
        url=url,
        status=public.status,
    )


def _of_configuration(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    config = instance.config
    if config is None:
        return
    if has_sign_in(values):
        for key in ("socialLoginEnabled", "openidLoginEnabled"):
            if config.get(key) is False:
                yield SIGN_IN_OFF.finding(Message("/api/config says {key}: false.", key=key))
                break
        logins = config.get("socialLogins")
        if isinstance(logins, list) and "openid" not in logins:
            shown = _cut(", ".join(map(str, logins))) or Message("none")
            yield BUTTON_HIDDEN.finding(Message("It shows: {logins}.", logins=shown))
    label = values.get("OPENID_BUTTON_LABEL", "").strip()
    seen = config.get("openidLabel")
    if label and isinstance(seen, str) and seen != label:
        detail = Message(
            "{name}: LibreChat shows “{running}”, the .env “{expected}”.",
            name="OPENID_BUTTON_LABEL",
            running=_cut(seen),
            expected=_cut(label),
        )
        yield OTHER_LOOKS.finding(detail, variable="OPENID_BUTTON_LABEL")


def _of_values(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    for name, running, expected in _compared(instance, values):
        if expected and running != expected:
            detail = Message(
                "{name}: LibreChat has {running}, the .env {expected}.",
                name=name,
                running=_cut(running) or Message("nothing"),
                expected=expected,
            )
            yield OTHER_VALUES.finding(detail, variable=name)


def _compared(instance: Instance, values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The variables that LibreChat's responses reveal: what it has, and what the `.env` has."""
    server, audiences = values.get("DOMAIN_SERVER", ""), values.get("OPENID_AUDIENCE", "")
    if instance.config is not None:
        yield "DOMAIN_SERVER", str(instance.config["serverDomain"]), server
    if instance.sign_in is None or not (sent := instance.sign_in.sent):
        return
    yield "OPENID_CLIENT_ID", sent["client_id"], values.get("OPENID_CLIENT_ID", "")
    redirect_uri = sent.get("redirect_uri", "")
    if redirect_uri.startswith(server):
        path = redirect_uri.removeprefix(server)
        yield "OPENID_CALLBACK_URL", path, values.get("OPENID_CALLBACK_URL", "")
    yield "OPENID_SCOPE", _words(sent.get("scope", "")), _words(values.get("OPENID_SCOPE", ""))
    first = next(filter(None, (each.strip(SPACES) for each in audiences.split(","))), "")
    yield "OPENID_AUDIENCE", sent.get("audience", ""), first
    location = instance.sign_in.response.location if instance.sign_in.response else ""
    issuer = host_of(values.get("OPENID_ISSUER", "").strip(URL_SPACES))
    # Auth0 signs users in at the issuer's own host; other providers may not.
    if issuer.endswith(".auth0.com") or host_of(location).endswith(".auth0.com"):
        yield "OPENID_ISSUER", host_of(location), issuer


def _words(scope: str) -> str:
    """The scopes in a fixed order, separated as in RFC 6749, 3.3."""
    return " ".join(sorted(filter(None, scope.split(" "))))


def _of_sign_in(instance: Instance, values: Mapping[str, str]) -> Iterator[Finding]:
    reply, config = instance.sign_in, instance.config or {}
    if reply is None:
        return
    came_from = _came_from(reply.url, reply)
    has_strategy = config.get("openidLoginEnabled")
    if reply.status == 429:
        yield RATE_LIMITED.finding(came_from)
    elif reply.status == 500:
        if has_strategy and config.get("socialLoginEnabled") is not False:
            yield NO_STRATEGY.finding(came_from)
    elif has_strategy and not reply.sent and has_sign_in(values):
        yield ODD_ANSWER.finding(came_from)
    if not instance.came_through_public_url:
        return
    if reply.session_cookie is None:
        if reply.sent:
            detail = Message("{url} redirects to Auth0 without setting connect.sid.", url=reply.url)
            yield NO_COOKIE.finding(detail)
        return
    is_secure = "secure" in re.split(r"[;\s]+", reply.session_cookie)
    is_public = not is_loopback(instance.public_url) and reply.url.startswith("https:")
    if is_public and not is_secure:
        detail = sentences(
            "connect.sid comes without Secure.",
            "" if _expects_secure_cookie(values) else Message("SESSION_COOKIE_SECURE is false."),
        )
        yield COOKIE_NOT_SECURE.finding(detail)


def _came_from(url: str, reply: Reply) -> Message:
    """The response of the URL, in one sentence."""
    if reply.error is not None:
        return Message("{url}: {reason}.", url=url, reason=reply.error.trouble.value)
    return Message("{url}: status {status}.", url=url, status=reply.status)


def _cut(text: str) -> str:
    return shortened(text, _SHOWN_LENGTH)
