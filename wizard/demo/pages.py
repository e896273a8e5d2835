"""The demo tenant's pages: login, consent, errors."""

from __future__ import annotations

import secrets
from urllib.parse import urljoin

from wizard.demo.tenant import Tenant, TenantError, Transaction
from wizard.http_server import Answer
from wizard.language import Language
from wizard.templates import environment


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
        callbacks = (each for it in self._tenant.applications.values() for each in it.callbacks)
        return self._render(
            "error",
            refused.status,
            None,
            refused=refused,
            tracking=secrets.token_hex(10),
            start=urljoin(next(callbacks, ""), "/"),
        )

    def _render(
        self, name: str, status: int, transaction: Transaction | None, **shown: object
    ) -> Answer:
        if transaction is not None:
            request = transaction.request
            application = self._tenant.applications[request.client_id].name
            shown |= {"request": request, "csrf": transaction.csrf, "application": application}
        nonce = secrets.token_urlsafe(16)
        html = self._templates.get_template(f"demo/{name}.html.j2").render(nonce=nonce, **shown)
        # Without `form-action`: browsers apply it to all redirects after a form, and LibreChat's
        # callback may redirect to a DOMAIN_CLIENT of another origin.
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'none';"
            " base-uri 'none'"
        )
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "same-origin",
        }
        return Answer(status, html, headers)
