"""A LibreChat for tests: it answers `/health`, `/api/config` and `/oauth/openid` like the real one.

It follows LibreChat's code (v0.8.8-rc4): api/server/routes/config.js and oauth.js,
api/strategies/openidStrategy.js, packages/api/src/oauth/csrf.ts and the login limiter.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.stand_ins.librechat_session import PAGE, Reply, Sessions
from wizard.http import Https, NetworkError, Response

LOGIN_MAX = 7
LOGINS = ["google", "facebook", "openid", "github", "discord", "saml"]


@dataclass
class LibreChat:
    """The settings and the requests of this LibreChat."""

    values: Mapping[str, str]
    discovery_worked: bool = True
    social_logins: list[str] = field(default_factory=lambda: list(LOGINS))
    is_ready: bool = True
    port: int = 0
    asked: list[str] = field(default_factory=list)
    sessions: Sessions | None = None

    @property
    def logins(self) -> int:
        return sum(path.startswith("/oauth/") for path in self.asked)

    def is_on(self, name: str) -> bool:
        return self.values.get(name, "").strip().lower() == "true"

    @property
    def has_openid(self) -> bool:
        names = ("OPENID_CLIENT_ID", "OPENID_ISSUER", "OPENID_SESSION_SECRET")
        has_secret = bool(self.values.get("OPENID_CLIENT_SECRET", "").strip())
        return all(self.values.get(name) for name in names) and (
            has_secret or self.is_on("OPENID_USE_PKCE")
        )

    def config(self) -> dict[str, object]:
        return {
            "appTitle": "LibreChat",
            "socialLogins": self.social_logins,
            "socialLoginEnabled": self.is_on("ALLOW_SOCIAL_LOGIN"),
            "openidLoginEnabled": self.has_openid,
            "openidLabel": self.values.get("OPENID_BUTTON_LABEL") or "Continue with OpenID",
            "openidAutoRedirect": self.is_on("OPENID_AUTO_REDIRECT"),
            "serverDomain": self.values.get("DOMAIN_SERVER") or "http://localhost:3080",
            "emailLoginEnabled": True,
            "buildInfo": {"commit": "361553f" * 5, "branch": "main"},
        }

    @property
    def marks_cookies_secure(self) -> bool:
        setting = self.values.get("SESSION_COOKIE_SECURE", "").lower()
        if setting in {"true", "false"}:
            return setting == "true"
        host = urlsplit(self.values.get("DOMAIN_SERVER", "")).hostname or ""
        return host not in {"localhost", "127.0.0.1"} and not host.endswith(".localhost")

    def authorize_url(self) -> str:
        values = self.values
        sent = {
            "client_id": values["OPENID_CLIENT_ID"],
            "response_type": "code",
            "redirect_uri": values.get("DOMAIN_SERVER", "undefined")
            + values.get("OPENID_CALLBACK_URL", "undefined"),
            "scope": values["OPENID_SCOPE"],
            "state": "state-that-nobody-shall-see",
            "code_challenge": "challenge",
            "code_challenge_method": "S256",
            **(self.sessions.begin() if self.sessions else {}),
        }
        audience = values.get("OPENID_AUDIENCE", "").split(",")[0].strip()
        if audience:
            sent["audience"] = audience
        return f"{values['OPENID_ISSUER'].rstrip('/')}/authorize?{urlencode(sent)}"


def _handler(librechat: LibreChat) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            librechat.asked.append(self.path)
            match self.path:
                case "/health":
                    self._answer(200, b"OK", "text/plain")
                case "/api/config" if librechat.is_ready:
                    body = json.dumps(librechat.config()).encode()
                    self._answer(200, body, "application/json")
                case "/oauth/openid":
                    self._sign_in()
                case path if librechat.sessions and path.startswith("/oauth/openid/callback"):
                    self._call_back(librechat.sessions)
                case "/api/user" if librechat.sessions:
                    authorization, cookies = (
                        self.headers.get(name, "") for name in ("Authorization", "Cookie")
                    )
                    self._reply(librechat.sessions.user(authorization, cookies))
                case path if librechat.sessions and not path.startswith("/api/"):
                    self._answer(200, PAGE.encode(), "text/html; charset=utf-8")
                case _:
                    self._answer(503 if not librechat.is_ready else 200, b"<html>", "text/html")

        def do_POST(self) -> None:
            librechat.asked.append(self.path)
            if librechat.sessions and self.path == "/api/auth/refresh":
                self._reply(librechat.sessions.refresh(self.headers.get("Cookie", "")))
            else:
                self._answer(404, b"", "text/plain")

        def _call_back(self, sessions: Sessions) -> None:
            if self._is_within_limit():
                self._reply(sessions.callback(self.path, self.headers.get("Cookie", "")))

        def _is_within_limit(self) -> bool:
            if librechat.logins <= LOGIN_MAX:
                return True
            self._answer(429, b'{"message":"Too many login attempts"}', "application/json")
            return False

        def _reply(self, reply: Reply) -> None:
            self._answer(reply.status, reply.body.encode(), reply.kind, reply.headers)

        def _sign_in(self) -> None:
            if not self._is_within_limit():
                return
            values = librechat.values
            is_registered = librechat.discovery_worked and values.get("OPENID_SCOPE")
            if not (librechat.has_openid and librechat.is_on("ALLOW_SOCIAL_LOGIN")):
                is_registered = False
            if not is_registered:
                self._answer(500, b"An unknown error occurred.", "text/html")
                return
            came_by_https = self.headers.get("X-Forwarded-Proto", "").split(",")[0] == "https"
            self.send_response(302)
            self.send_header("Location", librechat.authorize_url())
            if came_by_https or not librechat.marks_cookies_secure:
                secure = "; Secure" if librechat.marks_cookies_secure else ""
                self.send_header("Set-Cookie", f"connect.sid=s%3Aabc; Path=/; HttpOnly{secure}")
            self.send_header("X-RateLimit-Limit", str(LOGIN_MAX))
            self.send_header("X-RateLimit-Remaining", str(LOGIN_MAX - librechat.logins))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _answer(
            self, status: int, body: bytes, kind: str, headers: Iterable[tuple[str, str]] = ()
        ) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def running(librechat: LibreChat) -> Iterator[LibreChat]:
    """Run the LibreChat on its port, or on a free one if that is 0."""
    server = ThreadingHTTPServer(("127.0.0.1", librechat.port), _handler(librechat))
    librechat.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield librechat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Tunnel:
    """An `HttpClient` for which a public URL leads to a port of this machine, like a tunnel.

    Args:
        public_url: the public URL.
        port: the port it leads to.
        tells_https: whether it forwards the browser's scheme.
        answer: the response of whatever is there instead of a tunnel.
    """

    def __init__(
        self,
        public_url: str,
        port: int,
        *,
        tells_https: bool = True,
        answer: Response | NetworkError | None = None,
    ) -> None:
        self._public_url = public_url
        self._port = port
        self._tells_https = tells_https
        self._answer = answer
        self._http = Https({})

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        if not url.startswith(self._public_url):
            assert urlsplit(url).hostname == "localhost", f"unexpected request: {url}"
            return self._http.request(method, url, form=form, body=body, headers=headers)
        if isinstance(self._answer, NetworkError):
            raise self._answer
        if self._answer is not None:
            return self._answer
        proto = {"X-Forwarded-Proto": "https"} if self._tells_https else {}
        through = url.replace(self._public_url, f"http://127.0.0.1:{self._port}")
        sent = {**(headers or {}), **proto}
        return self._http.request(method, through, form=form, body=body, headers=sent)
