"""The demo tenant's pages: login, consent, errors."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from wizard.demo.authorization import PageError
from wizard.demo.tenant import Tenant, Transaction
from wizard.http_server import Answer, Request
from wizard.language import Language
from wizard.templates import environment

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+\Z")


Handler = Callable[[Request], Answer]


class Pages:
    """The pages of one tenant, in one language."""

    def __init__(self, tenant: Tenant, language: Language) -> None:
        self._tenant = tenant
        self._templates = environment(language)

    def login(self, key: str, transaction: Transaction, problem: str = "") -> Answer:
        """Return the login page, filled in with the demo's user."""
        user = next(iter(self._tenant.users.values()), None)
        return self._of(
            transaction,
            "login",
            status=400 if problem else 200,
            state=key,
            problem=problem,
            username=user.login if user else "",
            password=user.password if user else "",
        )

    def consent(self, key: str, transaction: Transaction) -> Answer:
        """Return the page that asks for consent."""
        request = transaction.request
        return self._of(
            transaction,
            "consent",
            state=key,
            audience=request.audience,
            scope=request.scope,
            callback=request.redirect_uri,
        )

    def error(self, error: PageError) -> Answer:
        """Return the page for an error that no callback URL can get."""
        tracking = secrets.token_hex(10)
        return self._render(
            "error",
            status=error.status,
            error=error.error,
            error_description=error.description,
            tracking=tracking,
        )

    def _of(
        self, transaction: Transaction, name: str, *, status: int = 200, **shown: object
    ) -> Answer:
        request = transaction.request
        return self._render(
            name,
            status=status,
            goes_to=request.redirect_uri,
            csrf=transaction.csrf,
            application=self._tenant.applications[request.client_id].name,
            **shown,
        )

    def _render(
        self, name: str, *, status: int = 200, goes_to: str = "", **shown: object
    ) -> Answer:
        nonce = secrets.token_urlsafe(16)
        html = self._templates.get_template(f"demo/{name}.html.j2").render(nonce=nonce, **shown)
        # Browsers apply `form-action` to the redirects after a form, too.
        parts = urlsplit(goes_to)
        origin = f"{parts.scheme}://{parts.netloc}"
        targets = f"'self' {origin}" if _ORIGIN.match(origin) else "'self'"
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets};"
            " frame-ancestors 'none'; base-uri 'none'"
        )
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "same-origin",
        }
        return Answer(status, html, headers)
