"""Links to Auth0's dashboard."""

from __future__ import annotations

from urllib.parse import quote

HOME = "https://manage.auth0.com"
APPLICATIONS = f"{HOME}/#/applications"
APIS = f"{HOME}/#/apis"
API_EXPLORER = f"{APIS}/management/explorer"
USERS = f"{HOME}/#/users"
LOGS = f"{HOME}/#/logs"
CUSTOM_DOMAINS = f"{HOME}/#/branding/custom_domains"
SIGNING_KEYS = f"{HOME}/#/tenant/signing_keys"
ADVANCED = f"{HOME}/#/tenant/advanced"


def application(client_id: str, tab: str = "settings") -> str:
    """Return the URL of a tab: `settings`, `credentials`, `connections` or `organizations`."""
    return f"{APPLICATIONS}/{quote(client_id, safe='')}/{tab}"
