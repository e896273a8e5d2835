"""The second half of a LibreChat for tests: the callback, its cookies, its session and its log.

It answers and logs as a real LibreChat v0.8.7 did; see the table in `wizard.librechat.log`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from wizard.auth0.json_web_token import read
from wizard.http import HttpClient

FALLBACK = """\
[requireJwtAuth] OpenID JWT auth failed; trying fallback {"primary_strategy":... [truncated]
{
  primary_strategy: "openidJwt",
  reason: "secret or public key must be provided",
  status: 401,
}"""
STORM = "[requireJwtAuth] Authentication failed after all strategies {"
PAGE = """<!doctype html><title>LibreChat</title><body>Loading…<script>
const tell = (text) => { document.body.textContent = text; };
(async () => {
  const fresh = await fetch('/api/auth/refresh', { method: 'POST' });
  if (!fresh.ok) { return tell('Welcome back'); }
  const { token } = await fresh.json();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const user = await fetch('/api/user', { headers: { Authorization: `Bearer ${token}` } });
    if (user.ok) { return tell(`Hello, ${(await user.json()).email}`); }
  }
})();
</script>"""


@dataclass(frozen=True)
class Reply:
    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"


@dataclass
class Sessions:
    """The steps after the redirect to Auth0.

    Attributes:
        values: the values LibreChat was started with.
        http: how its Node reaches the tenant.
        logs: its folder `api/logs`, or None to write no log.
        refusal: why LibreChat itself rejects the user, or "".
    """

    values: Mapping[str, str]
    http: HttpClient
    logs: Path | None = None
    refusal: str = ""
    attempts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    bearers: dict[str, bool] = field(default_factory=dict)

    @property
    def reuses(self) -> bool:
        return self.values.get("OPENID_REUSE_TOKENS", "").lower() == "true"

    def begin(self) -> dict[str, str]:
        """Return the parameters that are new for each redirect to Auth0."""
        state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        self.attempts[state] = verifier
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return {"state": state, "code_challenge": challenge}

    def log(self, level: str, message: str) -> None:
        if self.logs is None:
            return
        self.logs.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
        with (self.logs / f"debug-{at[:10]}.log").open("a", encoding="utf-8") as file:
            file.write(f"{at} {level}: {message}\n")
        if level == "error":
            line = json.dumps({"level": level, "message": message, "timestamp": at})
            with (self.logs / f"error-{at[:10]}.log").open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def callback(self, url: str, cookies: str) -> Reply:
        query = {name: each[0] for name, each in parse_qs(urlsplit(url).query).items()}
        if "error" in query:
            return self._refused(query.get("error_description", query["error"]))
        verifier = self.attempts.pop(query.get("state", ""), None)
        if verifier is None or "connect.sid" not in SimpleCookie(cookies):
            return self._refused("Unable to verify authorization request state")
        answer = self._exchange(query.get("code", ""), verifier)
        if "id_token" not in answer:
            return self._refused("server responded with an error in the response body")
        if self.refusal:
            return self._refused(self.refusal)
        claims = read(str(answer["id_token"])).claims
        if refusal := self._admit(claims):
            return self._refused(refusal)
        email = str(claims.get("email", ""))
        self.log("info", f"[openidStrategy] login success openidId: auth0|1 | email: {email}")
        return self._signed_in(answer)

    def _admit(self, claims: Mapping[str, object]) -> str:
        """Return why the claims of the ID token do not admit the user, or ""."""

        def has(setting: str) -> bool:
            held = claims.get(self.values.get(f"{setting}_PARAMETER_PATH", ""))
            return isinstance(held, list) and self.values[setting] in held

        required = self.values.get("OPENID_REQUIRED_ROLE", "")
        if required and not has("OPENID_REQUIRED_ROLE"):
            return f'You must have "{required}" role to log in.'
        if self.values.get("OPENID_ADMIN_ROLE") and has("OPENID_ADMIN_ROLE"):
            role = self.values["OPENID_ADMIN_ROLE"]
            self.log("info", f"[openidStrategy] User x is an admin based on role: {role}")
        return ""

    def refresh(self, cookies: str) -> Reply:
        """`POST /api/auth/refresh`."""
        held = SimpleCookie(cookies).get("refreshToken")
        if held is None or held.value not in self.tokens:
            return Reply(401, "Refresh token not provided", kind="text/plain")
        return Reply(200, json.dumps({"token": self.tokens[held.value], "user": {}}))

    def user(self, authorization: str, cookies: str) -> Reply:
        """`GET /api/user`: without the cookie, Auth0's token is treated as LibreChat's own."""
        bearer = authorization.removeprefix("Bearer ")
        is_openid = "token_provider" in SimpleCookie(cookies)
        if not self.bearers.get(bearer) or (self.reuses and not is_openid):
            if is_openid:
                self.log("debug", FALLBACK)
            self.log("warn", f'{STORM}"primary_strategy":"openidJwt","fallb... [truncated]')
            return Reply(401, "Unauthorized", kind="text/plain")
        return Reply(200, json.dumps({"email": read(bearer).claims.get("email")}))

    def _exchange(self, code: str, verifier: str) -> Mapping[str, object]:
        values = self.values
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": values["DOMAIN_SERVER"] + values["OPENID_CALLBACK_URL"],
            "code_verifier": verifier,
            "client_id": values["OPENID_CLIENT_ID"],
            "client_secret": values["OPENID_CLIENT_SECRET"],
        }
        endpoint = f"{values['OPENID_ISSUER'].rstrip('/')}/oauth/token"
        return self.http.request("POST", endpoint, form=form).json_object() or {}

    def _signed_in(self, answer: Mapping[str, object]) -> Reply:
        home = ("Location", self.values["DOMAIN_CLIENT"])
        if self.reuses and "refresh_token" not in answer:
            self.log("error", "[setOpenIDAuthTokens] No refresh token available")
            return Reply(302, headers=(home,))
        bearer, held = str(answer["id_token"]), secrets.token_urlsafe(16)
        algorithm = read(bearer).algorithm
        self.bearers[bearer] = algorithm == "RS256" or not self.reuses
        self.tokens[held] = bearer
        provider = "openid" if self.reuses else "librechat"
        cookies = (f"refreshToken={held}", f"token_provider={provider}")
        set_cookies = (("Set-Cookie", f"{each}; Path=/; HttpOnly") for each in cookies)
        return Reply(302, headers=(home, *set_cookies))

    def _refused(self, reason: str) -> Reply:
        # The console shows the prefix too, the file only the reason.
        self.log("warn", reason)
        page = f"{self.values['DOMAIN_CLIENT']}/login?redirect=false&error=auth_failed"
        return Reply(302, headers=(("Location", page),))
