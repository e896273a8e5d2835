"""A client application of the demo tenant."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import jwt

from tests.providers import Demo
from wizard.demo.user import Form, sign_in_form
from wizard.http import Response

VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


@dataclass
class Client:
    """Send requests to the demo tenant; parameters that are None are left out."""

    demo: Demo
    cookies: dict[str, str] = field(default_factory=dict)

    def parameters(self, **changed: str | None) -> dict[str, str]:
        sent: dict[str, str | None] = {
            "client_id": self.demo.application.client_id,
            "response_type": "code",
            "redirect_uri": self.demo.setup.callback_url,
            "scope": self.demo.setup.scope,
            "state": "the state",
            "audience": self.demo.setup.audience,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: it for name, it in (sent | changed).items() if it is not None}

    def send(self, method: str, path: str, form: dict[str, str] | None = None) -> Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = self.demo.http.request(
            method,
            urljoin(self.demo.issuer, path),
            form=form,
            headers={"Cookie": cookie} if cookie else None,
        )
        for line in response.set_cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def authorize(self, **changed: str | None) -> Response:
        return self.send("GET", f"authorize?{urlencode(self.parameters(**changed))}")

    def log_in(self, response: Response, password: str | None = None) -> Response:
        """Fill in and submit the login page that `response` redirects to."""
        page = self.send("GET", location(response))
        return self.send("POST", "u/login", self.login_form(page, password))

    def login_form(self, page: Response, password: str | None = None) -> dict[str, str]:
        user = self.demo.user
        return form_of(page).filled_in(user.login, password or user.password)

    def consent(self, response: Response, action: str = "accept") -> Response:
        page = self.send("GET", location(response))
        form = {**form_of(page).filled_in("", ""), "action": action}
        return self.send("POST", "u/consent", form)

    def sign_in(self, **changed: str | None) -> str:
        """Sign in and return the code."""
        response = self.log_in(self.authorize(**changed))
        if "/u/consent" in location(response):
            response = self.consent(response)
        return query(response)["code"]

    def token(self, **form: str | None) -> Response:
        application = self.demo.application
        sent: dict[str, str | None] = {
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "redirect_uri": self.demo.setup.callback_url,
            "code_verifier": VERIFIER,
            **form,
        }
        body = {name: it for name, it in sent.items() if it is not None}
        return self.send("POST", "oauth/token", body)

    def redeem(self, code: str, **form: str | None) -> Response:
        return self.token(grant_type="authorization_code", code=code, **form)

    def refresh(self, refresh_token: str, **form: str | None) -> Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **form)

    def tokens(self, **changed: str | None) -> dict[str, str]:
        """Sign in and redeem the code."""
        response = self.redeem(self.sign_in(**changed))
        assert response.status == 200, response.text
        return answer(response)

    def verified(self, token: str, audience: str, algorithm: str = "RS256") -> dict[str, object]:
        """Check a token's signature, issuer and audience; return its claims."""
        keys = jwt.PyJWKSet.from_json(self.send("GET", ".well-known/jwks.json").text)
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims: dict[str, object] = jwt.decode(
            token, key.key, algorithms=[algorithm], audience=audience, issuer=self.demo.issuer
        )
        return claims


def answer(response: Response) -> dict[str, str]:
    body: dict[str, str] = json.loads(response.body)
    return body


def location(response: Response) -> str:
    assert response.status == 302, (response.status, response.text)
    return response.headers["location"]


def query(response: Response) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(urlsplit(location(response)).query).items()
    }


def form_of(page: Response) -> Form:
    form = sign_in_form(page)
    assert form is not None, page.text
    return form
