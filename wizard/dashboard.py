"""Links to Auth0's dashboard."""

from __future__ import annotations

import re
from urllib.parse import quote

HOME = "https://manage.auth0.com"
APPLICATIONS = f"{HOME}/#/applications"
APIS = f"{HOME}/#/apis"
API_EXPLORER = f"{APIS}/management/explorer"
LOGS = f"{HOME}/#/logs"


def page(path: str, domain: str = "") -> str:
    """Return the URL of a page, of the tenant with that domain where its region is known."""
    if found := re.fullmatch(r"(?P<tenant>[a-z0-9-]+)\.(?P<region>[a-z]{2})\.auth0\.com", domain):
        return f"{HOME}/dashboard/{found['region']}/{found['tenant']}/{path}"
    return f"{HOME}/#/{path}"


def application(client_id: str, tab: str = "settings", domain: str = "") -> str:
    """Return the URL of a tab: `settings`, `credentials`, `connections` or `organizations`."""
    return page(f"applications/{quote(client_id, safe='')}/{tab}", domain)
