"""The exchange of a sign-in's code for tokens, and of a refresh token for new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wizard.auth0.error_table import Check, OAuthError
from wizard.auth0.live_checks import CheckResult
from wizard.auth0.probes import client_credentials, refresh_parameters
from wizard.auth0.tenant import Discovery, Jwk, network_finding
from wizard.auth0.tokens import Expected, Judgement, Tokens, judge_tokens, read_tokens
from wizard.clock import Clock
from wizard.http import HttpClient, NetworkError
from wizard.language import Message
from wizard.settings import Settings


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one authorization request was made with (RFC 7636, OpenID Connect Core §2)."""

    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Gets tokens as LibreChat would, and judges them."""

    settings: Settings
    discovery: Discovery
    keys: Sequence[Jwk]
    http: HttpClient
    clock: Clock

    def judge(self, code: str, attempt: Attempt) -> Judgement:
        """Exchange the code, refresh the tokens, and judge both."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.callback_url,
            "code_verifier": attempt.verifier,
        }
        try:
            tokens = self._ask_for_tokens(form)
        except NetworkError as error:
            return Judgement((CheckResult.failed(Check.EXCHANGE, network_finding(error)),))
        expected = Expected(
            self.settings, self.discovery, self.keys, attempt.nonce, self.clock.now()
        )
        return judge_tokens(expected, tokens, self._refresh(tokens))

    def _refresh(self, tokens: Tokens | OAuthError) -> Tokens | OAuthError | None:
        """Return the answer to the refresh token, if LibreChat would use it and there is one.

        It is not revoked afterwards: Auth0 would withdraw the user's whole grant with it, and so
        the sign-ins of a LibreChat that is in use.
        """
        if isinstance(tokens, OAuthError) or not tokens.refresh_token:
            return None
        if not self.settings.reuse_tokens:
            return None
        try:
            return self._ask_for_tokens(refresh_parameters(self.settings, tokens.refresh_token))
        except NetworkError as error:
            trouble = error.trouble.value
            return OAuthError("", Message("no answer came, {trouble}", trouble=trouble))

    def _ask_for_tokens(self, form: dict[str, str]) -> Tokens | OAuthError:
        form |= client_credentials(self.settings, self.settings.client_secret)
        headers = {"Accept": "application/json"}
        endpoint = self.discovery.token_endpoint
        return read_tokens(self.http.request("POST", endpoint, form=form, headers=headers))
