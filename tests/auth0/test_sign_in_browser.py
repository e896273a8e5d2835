"""The sign-in in a real browser, from the link to the result page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chromium import Tab, chromium
from tests.languages import BEGINS, pseudo
from tests.ports import free_port
from tests.providers import EMAIL, PASSWORD, Authority, Demo, furnish
from tests.tenant.faults import tenant_server
from tests.tenant.state import Tenant
from wizard.auth0.live_checks import check_tenant
from wizard.auth0.sign_in import Exchange, SignIn
from wizard.language import Language
from wizard.settings import Settings
from wizard.system.clock import Clock

pytestmark = pytest.mark.needs("chromium")

# Where to save screenshots, if anyone wants them.
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@contextmanager
def signing_in(
    demo: Demo,
    port: int,
    change: Callable[[Settings], Settings] = lambda same: same,
    language: Language | None = None,
) -> Iterator[SignIn]:
    report = check_tenant(demo.setup, demo.http, Clock())
    assert report.ok, report.findings
    assert report.discovery is not None
    settings = change(demo.setup)
    exchange = Exchange(settings, report.discovery, report.keys, demo.http)
    with SignIn(exchange, port, language=language, linger=0) as flow:
        yield flow


def log_in(tab: Tab, flow: SignIn) -> None:
    tab.open(flow.url, "document.querySelector('[type=password]')")
    names = tab.evaluate(
        "[...document.querySelectorAll('form input:not([type=hidden])')].map(i => i.name)"
    )
    tab.submit(**{names[0]: EMAIL, names[1]: PASSWORD})
    # For localhost, Auth0 and the demo tenant ask for consent again.
    tab.wait("document.querySelector('[value=accept]') || document.querySelector('header')")


def accept(tab: Tab) -> None:
    tab.evaluate("document.querySelector('[value=accept]')?.click()")
    tab.wait("document.querySelector('footer') && document.readyState === 'complete'")


def assert_well_laid_out(tab: Tab, name: str, tmp_path: Path) -> None:
    """Assert that the page does not scroll sideways: light and dark, desktop and phone."""
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path
    for width in (1000, 400):
        grounds = set()
        unfolded = "true" if width > 500 else "false"
        tab.evaluate(f"document.querySelectorAll('details').forEach(d => d.open = {unfolded})")
        for dark in (False, True):
            tab.look(width=width, dark=dark)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            grounds.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
            picture = folder / f"{name}-{width}-{'dark' if dark else 'light'}.png"
            tab.screenshot(picture)
            assert picture.stat().st_size > 5000
        assert len(grounds) == 2


def no_email(demo: Demo) -> None:
    demo.user.email = ""


def no_offline_access(demo: Demo) -> None:
    demo.api.allow_offline_access = False


def hs256(demo: Demo) -> None:
    demo.api.signing_alg = "HS256"


def nothing(demo: Demo) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "fault", "title", "shown"),
    [
        ("success", nothing, "The sign-in works", EMAIL),
        ("no-email", no_email, "does not work yet", "has no email address"),
        ("no-refresh-token", no_offline_access, "does not work yet", "Allow Offline Access"),
        ("hs256", hs256, "does not work yet", "RS256"),
    ],
)
def test_the_browser_shows_the_result(
    name: str,
    fault: Callable[[Demo], None],
    title: str,
    shown: str,
    authority: Authority,
    demo_server: Tenant,
    tab: Tab,
    tmp_path: Path,
) -> None:
    port = free_port()
    demo = furnish(demo_server, authority.http(), f"http://localhost:{port}")
    fault(demo)
    tab.call("Network.clearBrowserCookies")
    with signing_in(demo, port) as flow:
        log_in(tab, flow)
        accept(tab)
        judgement = flow.wait(60)
        tab.console.clear()
        tab.requested.clear()
        text = tab.evaluate("document.body.textContent")
        assert title in tab.evaluate("document.querySelector('h1').textContent")
        assert shown in text
        assert_well_laid_out(tab, name, tmp_path)
        assert [url for url in tab.requested if "favicon" not in url] == []
        assert tab.console == []
    assert judgement.ok is (name == "success")
    for finding in judgement.findings:
        assert finding.detail in text
        assert all(words in text for words in re.split(r"https://manage\S+?(?=\))", finding.fix))


def test_reports_a_declined_consent(
    authority: Authority, demo_server: Tenant, tab: Tab, tmp_path: Path
) -> None:
    port = free_port()
    demo = furnish(demo_server, authority.http(), f"http://localhost:{port}")
    tab.call("Network.clearBrowserCookies")
    with signing_in(demo, port) as flow:
        log_in(tab, flow)
        tab.evaluate("document.querySelector('[value=deny]').click()")
        tab.wait("document.querySelector('footer')")
        judgement = flow.wait(60)
        assert_well_laid_out(tab, "denied", tmp_path)
    assert [finding.rule.id for finding in judgement.findings] == ["LA240"]


def test_reports_a_wrong_secret(
    authority: Authority, demo_server: Tenant, tab: Tab, tmp_path: Path
) -> None:
    def wrong(settings: Settings) -> Settings:
        return settings._replace(client_secret="wrong")

    port = free_port()
    demo = furnish(demo_server, authority.http(), f"http://localhost:{port}")
    tab.call("Network.clearBrowserCookies")
    with signing_in(demo, port, wrong) as flow:
        log_in(tab, flow)
        accept(tab)
        judgement = flow.wait(60)
        assert_well_laid_out(tab, "wrong-secret", tmp_path)
    assert [finding.rule.id for finding in judgement.findings] == ["LA237"]


def test_explains_a_rejected_visit(
    authority: Authority, demo_server: Tenant, tab: Tab, tmp_path: Path
) -> None:
    port = free_port()
    demo = furnish(demo_server, authority.http(), f"http://localhost:{port}")
    with signing_in(demo, port):
        tab.open(
            f"{demo.setup.callback_url}?code=x&state=%3Cscript%3Edocument.title=1%3C/script%3E",
            "document.querySelector('footer')",
        )
        assert "not part of the sign-in" in tab.evaluate("document.title")
        assert_well_laid_out(tab, "refused", tmp_path)


# What people read on a page, except data.
TEXTS = "title, h1, h3, p, label, button, summary, a, strong, [aria-label]"


def unsaid(tab: Tab) -> list[str]:
    """Return the texts of the page that are not translated."""
    shown: list[str] = tab.evaluate(
        f"[...document.querySelectorAll('{TEXTS}')]"
        ".map(e => e.getAttribute('aria-label') || e.textContent.trim())"
        f".filter(text => text && !text.startsWith('{BEGINS}'))"
    )
    assert tab.evaluate("document.documentElement.lang") == "nl"
    return shown


@pytest.mark.parametrize("fault", [nothing, no_offline_access])
def test_every_page_speaks_the_users_language(
    fault: Callable[[Demo], None], authority: Authority, tab: Tab, tmp_path: Path
) -> None:
    port, language = free_port(), pseudo()
    tab.call("Network.clearBrowserCookies")
    tenant = Tenant()
    with tenant_server(tenant, authority.certificate, authority.key, language):
        demo = furnish(tenant, authority.http(), f"http://localhost:{port}")
        fault(demo)
        with signing_in(demo, port, language=language) as flow:
            tab.open(flow.url, "document.querySelector('[type=password]')")
            assert unsaid(tab) == []
            log_in(tab, flow)
            assert unsaid(tab) == []
            accept(tab)
            flow.wait(60)
            assert unsaid(tab) == []
            tab.console.clear()
            assert_well_laid_out(tab, f"pseudo-{fault.__name__}", tmp_path)
            assert tab.console == []
            tab.open(demo.setup.callback_url, "document.querySelector('footer')")
            assert unsaid(tab) == []
