"""The demo tenant's pages: login, consent, errors."""

from __future__ import annotations

import re
import secrets
from urllib.parse import urlsplit

from wizard.demo.tenant import Tenant, TenantError, Transaction
from wizard.http_server import Answer
from wizard.language import Language
from wizard.templates import environment

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+\Z")


class Pages:
    """The pages of one tenant, in one language."""

    def __init__(self, tenant: Tenant, language: Language) -> None:
        self._tenant = tenant
        self._templates = environment(language)

    def login(self, key: str, transaction: Transaction, problem: str = "") -> Answer:
        """Return the login page, filled in with the demo's user."""
        status = 400 if problem else 200
        user = next(iter(self._tenant.users.values()), None)
        return self._render("login", status, transaction, key=key, problem=problem, user=user)

    def consent(self, key: str, transaction: Transaction) -> Answer:
        """Return the page that asks for consent."""
        return self._render("consent", 200, transaction, key=key)

    def error(self, refused: TenantError) -> Answer:
        """Return the page for an error that no callback URL can get."""
        return self._render(
            "error", refused.status, None, refused=refused, tracking=secrets.token_hex(10)
        )

    def _render(
        self, name: str, status: int, transaction: Transaction | None, **shown: object
    ) -> Answer:
        targets = "'self'"
        if transaction is not None:
            request = transaction.request
            application = self._tenant.applications[request.client_id].name
            shown |= {"request": request, "csrf": transaction.csrf, "application": application}
            # Browsers apply `form-action` to the redirects after a form, too.
            parts = urlsplit(request.redirect_uri)
            if _ORIGIN.match(origin := f"{parts.scheme}://{parts.netloc}"):
                targets = f"'self' {origin}"
        nonce = secrets.token_urlsafe(16)
        html = self._templates.get_template(f"demo/{name}.html.j2").render(nonce=nonce, **shown)
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
