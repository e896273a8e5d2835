"""Links into Auth0's dashboard, which a remedy names beside the words on the page."""

from __future__ import annotations

from urllib.parse import quote

APPLICATIONS = "https://manage.auth0.com/#/applications"
APIS = "https://manage.auth0.com/#/apis"
LOGS = "https://manage.auth0.com/#/logs"
TENANT_SETTINGS = "https://manage.auth0.com/#/tenant"
CUSTOM_DOMAINS = "https://manage.auth0.com/#/tenant/custom_domains"


def application(client_id: str, tab: str = "settings") -> str:
    """The application's page: its tab `settings`, `credentials`, `connections`, `organizations`."""
    return f"{APPLICATIONS}/{quote(client_id, safe='')}/{tab}"
