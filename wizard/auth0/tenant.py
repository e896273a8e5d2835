"""Checks the issuer's OpenID metadata and signing keys, read as LibreChat reads them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from wizard.auth0.redact import quoted
from wizard.auth0.retry import http_date
from wizard.findings import Finding
from wizard.http import HttpClient, NetworkError, Response, Trouble
from wizard.language import Message
from wizard.rules import ISSUER_WITH_PATH, rule
from wizard.settings import METADATA_PATH, Settings, is_loopback, is_tenant_domain
from wizard.system.clock import Clock

# What jsonwebtoken, which LibreChat verifies with, accepts for an RSA key.
ACCEPTED_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
SHORTEST_KEY_BITS = 2048  # of openid-client
CLOCK_TOLERANCE = 60.0

NO_TENANT = rule("LA207")
NO_ISSUER = rule("LA208")
PORTAL = rule("LA209")
REDIRECTED = rule("LA210")
CUSTOM_DOMAIN_NOT_READY = rule("LA211")
ISSUER_MISMATCH = rule("LA212")
INSECURE_ENDPOINT = rule("LA213")
FOREIGN_ENDPOINT = rule("LA214")
NO_RS256 = rule("LA215")
KEYS_UNREADABLE = rule("LA216")
NO_USABLE_KEY = rule("LA217")
NO_END_SESSION = rule("LA218")
WRONG_CLOCK = rule("LA219")
TENANT_BUSY = rule("LA221")
SECRET_KEPT = rule("LA222")
UNTRUSTED = rule("LA203")
BROKEN = rule("LA206")
_BY_TROUBLE = {
    Trouble.NAME: rule("LA200"),
    Trouble.REFUSED: rule("LA201"),
    Trouble.TIMEOUT: rule("LA202"),
    Trouble.UNTRUSTED: UNTRUSTED,
    Trouble.WRONG_NAME: UNTRUSTED,
    Trouble.WRONG_TIME: rule("LA220"),
    Trouble.TLS: rule("LA204"),
    Trouble.PROXY: rule("LA205"),
    Trouble.DROPPED: BROKEN,
    Trouble.TOO_LARGE: BROKEN,
}


class Discovery(NamedTuple):
    """The issuer's metadata (OpenID Connect Discovery 1.0 §3); all URLs are https."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    id_token_algorithms: tuple[str, ...] = ()
    is_named_in_answers: bool = False  # its answers have `iss` (RFC 9207)

    @property
    def takes_secrets_elsewhere(self) -> bool:
        """Whether the token endpoint is on another server than the issuer."""
        return not _is_same_server(self.token_endpoint, self.issuer)


Jwk = Mapping[str, Any]


def fetch_discovery(
    settings: Settings, http: HttpClient, clock: Clock
) -> tuple[Discovery | None, tuple[Finding, ...]]:
    """Return the issuer's metadata, None if LibreChat cannot use it, and the findings."""
    url = f"{settings.issuer}{METADATA_PATH}"
    before = clock.now()
    try:
        answer = http.request("GET", url)
    except NetworkError as error:
        return None, (network_finding(error),)
    clock_findings = _judge_clock(answer, before, clock.now())
    metadata = answer.json_object() if answer.status == 200 else None
    if metadata is None:
        return None, (_no_metadata(answer, settings.domain), *clock_findings)
    discovery, findings = judge_metadata(metadata, settings)
    return discovery, (*findings, *clock_findings)


def refuse_issuer(issuer: str, http: HttpClient) -> Finding | None:
    """Return why LibreChat cannot use an issuer with a path; None where it can.

    Its OpenID client compares the issuer, unless that is the address of the metadata.
    """
    base = issuer.removesuffix(METADATA_PATH)
    try:
        answer = http.request("GET", f"{base.rstrip('/')}{METADATA_PATH}")
    except NetworkError as error:
        return network_finding(error)
    metadata = answer.json_object() if answer.status == 200 else None
    named = str((metadata or {}).get("issuer"))
    if metadata is not None and (base != issuer or href(named) == href(issuer)):
        return None
    return ISSUER_WITH_PATH.finding(
        Message("{url}: status {status}.", url=answer.url, status=answer.status)
        if metadata is None
        else Message("Its metadata names {issuer}.", issuer=quoted(named)),
        variable="OPENID_ISSUER",
    )


def judge_metadata(
    metadata: Mapping[str, object], settings: Settings
) -> tuple[Discovery | None, tuple[Finding, ...]]:
    """Return the metadata, None if LibreChat cannot use it, and the findings. Pure."""

    def field(name: str) -> str:
        value = metadata.get(name)
        return value if isinstance(value, str) else ""

    endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    needed = ("issuer", *endpoints)
    if missing := [name for name in needed if not field(name)]:
        names = ", ".join(missing)
        return None, (NO_ISSUER.finding(Message("Its metadata has no {names}.", names=names)),)
    if href(field("issuer")) != href(settings.issuer):
        return None, (_issuer_mismatch(field("issuer"), settings),)
    optional = ("userinfo_endpoint", "end_session_endpoint")
    insecure = [name for name in needed if not _is_https(field(name))]
    insecure += [name for name in optional if field(name) and not _is_https(field(name))]
    if insecure:
        named = "; ".join(f"{name}: {quoted(field(name))}" for name in insecure)
        return None, (INSECURE_ENDPOINT.finding(Message("It has {named}.", named=named)),)
    offered = metadata.get("id_token_signing_alg_values_supported")
    listed = offered if isinstance(offered, list) else []
    algorithms = tuple(each for each in listed if isinstance(each, str))
    if algorithms and not set(algorithms) & set(ACCEPTED_ALGORITHMS):
        seen = quoted(", ".join(algorithms))
        detail = Message("It offers {algorithms} for ID tokens.", algorithms=seen)
        return None, (NO_RS256.finding(detail),)
    discovery = Discovery(
        issuer=field("issuer"),
        **{name: field(name) for name in (*endpoints, "end_session_endpoint")},
        id_token_algorithms=algorithms,
        is_named_in_answers=bool(metadata.get("authorization_response_iss_parameter_supported")),
    )
    return discovery, tuple(_remarks(discovery))


def fetch_keys(
    discovery: Discovery, http: HttpClient
) -> tuple[tuple[Jwk, ...], tuple[Finding, ...]]:
    """Return the keys that can verify RS256, and a finding if there is none."""
    try:
        answer = http.request("GET", discovery.jwks_uri)
    except NetworkError as error:
        return (), (network_finding(error),)
    document = answer.json_object() if answer.status == 200 else None
    keys = document.get("keys") if document is not None else None
    if not isinstance(keys, list):
        return (), (KEYS_UNREADABLE.finding(_answered(discovery.jwks_uri, answer)),)
    usable = tuple(key for key in keys if is_usable_key(key))
    if usable:
        return usable, ()
    detail = Message("{count} keys at {url}.", count=len(keys), url=quoted(discovery.jwks_uri))
    return (), (NO_USABLE_KEY.finding(detail),)


def is_usable_key(key: object) -> bool:
    """Return whether the JWK can verify RS256 signatures."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if not isinstance(key, dict) or key.get("kty") != "RSA" or key.get("use", "sig") != "sig":
        return False
    if key.get("alg", "RS256") not in ACCEPTED_ALGORITHMS:
        return False
    try:
        public = jwt.PyJWK(key, algorithm="RS256").key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return False
    return isinstance(public, RSAPublicKey) and public.key_size >= SHORTEST_KEY_BITS


def network_finding(error: NetworkError, secrets: Collection[str] = ()) -> Finding:
    """Return a finding for a failed request to the tenant, without the secrets."""
    rule = _BY_TROUBLE[error.trouble]
    if error.trouble in {Trouble.TLS, Trouble.WRONG_NAME} and _is_custom(error.host):
        rule = CUSTOM_DOMAIN_NOT_READY
    reported = quoted(error.detail, secrets=secrets)
    template = "{host}: {trouble} ({reported})." if reported else "{host}: {trouble}."
    return rule.finding(
        Message(template, host=error.host, trouble=error.trouble.value, reported=reported)
    )


def href(url: str) -> str:
    """Return the WHATWG's `URL.href`, which LibreChat's client compares; "" for no URL."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
        port = "" if parts.port in {None, 443} else f":{parts.port}"
    except ValueError:
        return ""
    host = f"[{host}]" if ":" in host else host
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme.lower()}://{host}{port}{parts.path or '/'}{query}"


def _no_metadata(answer: Response, domain: str) -> Finding:
    detail = _answered(answer.url, answer)
    status = answer.status
    if 300 <= status < 400:
        target = quoted(answer.location) or Message("nowhere")
        return REDIRECTED.finding(
            Message("{url} redirects to {target}.", url=quoted(answer.url), target=target)
        )
    if status == 407:
        return _BY_TROUBLE[Trouble.PROXY].finding(detail)
    if status == 404:
        return (NO_TENANT if is_tenant_domain(domain) else NO_ISSUER).finding(detail)
    if _is_custom(domain) and _is_waiting_edge(answer):
        return CUSTOM_DOMAIN_NOT_READY.finding(detail)
    if status == 429 or (status >= 500 and status != 511):
        return TENANT_BUSY.finding(detail)
    return (PORTAL if answer.is_html or status == 511 else NO_ISSUER).finding(detail)


def _is_waiting_edge(answer: Response) -> bool:
    """Return whether Cloudflare, Auth0's edge, does not serve the host yet."""
    cloudflare = answer.headers.get("server", "").lower() == "cloudflare"
    return cloudflare and (answer.status in {403, 409, 421} or 520 <= answer.status <= 530)


def _answered(url: str, answer: Response) -> Message:
    kind = answer.headers.get("content-type", "").split(";")[0].strip()
    return Message(
        "{url} answered HTTP {status}, {kind}, {size} bytes.",
        url=quoted(url),
        status=answer.status,
        kind=quoted(kind) or Message("no content type"),
        size=len(answer.body),
    )


def _issuer_mismatch(named: str, settings: Settings) -> Finding:
    host = urlsplit(href(named)).netloc
    return ISSUER_MISMATCH.finding(
        Message(
            "The domain gives {given}, but the tenant's issuer is {named}.",
            given=href(settings.issuer),
            named=quoted(named),
        ),
        fix=Message("Use {domain} as the domain.", domain=quoted(host)) if host else None,
        variable="OPENID_ISSUER",
    )


def _remarks(discovery: Discovery) -> Iterator[Finding]:
    foreign = [
        f"{name}: {url}"
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if not _is_same_server(url := getattr(discovery, name), discovery.issuer)
    ]
    if foreign:
        yield FOREIGN_ENDPOINT.finding(quoted("; ".join(foreign)))
    if not discovery.end_session_endpoint:
        yield NO_END_SESSION.finding()


def _is_same_server(url: str, other: str) -> bool:
    return urlsplit(href(url)).netloc == urlsplit(href(other)).netloc


def _judge_clock(answer: Response, before: float, after: float) -> tuple[Finding, ...]:
    date = http_date(answer.headers.get("date", ""))
    if date is None:
        return ()
    age = answer.headers.get("age", "")
    there = date + (int(age) if age.isascii() and age.isdecimal() and len(age) < 9 else 0)
    ahead = before - there if before > there else min(0.0, after - there)
    if abs(ahead) <= CLOCK_TOLERANCE:
        return ()
    detail = Message("It is {seconds} seconds behind the tenant's.")
    if ahead > 0:
        detail = Message("It is {seconds} seconds ahead of the tenant's.")
    return (WRONG_CLOCK.finding(detail.filled(seconds=f"{abs(ahead):.0f}")),)


def _is_custom(domain: str) -> bool:
    return not is_tenant_domain(domain) and not is_loopback(f"https://{domain}")


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    printable = url.isprintable() and " " not in url
    return (
        printable and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    )
