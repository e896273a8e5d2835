"""Exchanges a sign-in's code for tokens, and the refresh token for new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wizard.auth0.error_table import Check, OAuthError
from wizard.auth0.live_checks import CheckResult
from wizard.auth0.probes import client_credentials, code_parameters, refresh_parameters
from wizard.auth0.tenant import Discovery, Jwk, network_finding
from wizard.auth0.tokens import Expected, Judgement, Tokens, judge_tokens, read_tokens
from wizard.clock import Clock
from wizard.http import HttpClient, NetworkError
from wizard.language import Message
from wizard.settings import Settings


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one authorization request (RFC 7636, OpenID Connect Core §2)."""

    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Gets tokens as LibreChat does, and judges them."""

    settings: Settings
    discovery: Discovery
    keys: Sequence[Jwk]
    http: HttpClient
    clock: Clock

    def judge(self, code: str, attempt: Attempt) -> Judgement:
        """Exchange the code, refresh the tokens, and judge both."""
        try:
            tokens = self._request(code_parameters(self.settings, code, attempt.verifier))
        except NetworkError as error:
            return Judgement((CheckResult.failed(Check.EXCHANGE, network_finding(error)),))
        now = self.clock.now()
        expected = Expected(self.settings, self.discovery, self.keys, attempt.nonce, now)
        return judge_tokens(expected, tokens, self._refresh(tokens))

    def _refresh(self, tokens: Tokens | OAuthError) -> Tokens | OAuthError | None:
        if isinstance(tokens, OAuthError) or not tokens.refresh_token:
            return None
        if not self.settings.reuse_tokens:
            return None
        # Never revoked afterwards: Auth0 would delete the user's grant, and with it the sessions
        # of a LibreChat that is in use.
        try:
            return self._request(refresh_parameters(self.settings, tokens.refresh_token))
        except NetworkError as error:
            trouble = error.trouble.value
            return OAuthError("", Message("no answer came, {trouble}", trouble=trouble))

    def _request(self, form: dict[str, str]) -> Tokens | OAuthError:
        form |= client_credentials(self.settings, self.settings.client_secret)
        headers = {"Accept": "application/json"}
        endpoint = self.discovery.token_endpoint
        return read_tokens(self.http.request("POST", endpoint, form=form, headers=headers))
