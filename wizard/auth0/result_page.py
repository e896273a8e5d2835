"""The last page in the browser: the result of the sign-in, or why a request was refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wizard.auth0.tokens import Judgement
from wizard.findings import Outcome, Severity
from wizard.http_server import Answer, page
from wizard.language import Language, Message, sentences

_MARKS = {
    Outcome.PROVED: "✓",
    Outcome.LIKELY: "~",
    Outcome.UNPROVED: "?",
    Outcome.FAILED: "✕",
    Outcome.SKIPPED: "–",
}
# Only our own links become links.
_LINK = r"(https://manage\.auth0\.com/[\w/#%.-]*[\w/])"

_TO_THE_TERMINAL = Message("You can close this page and return to the terminal.")
_TEST_AGAIN = Message("After a change, test the sign-in again: librechat-auth0 verify")


def judgement_page(judgement: Judgement, public_url: str, language: Language) -> Answer:
    """Return the page with the result of a sign-in."""
    good = judgement.ok
    remarks = any(finding.severity is not Severity.NOTE for finding in judgement.findings)
    claims = [
        (Message("Claims of the ID token"), list(judgement.id_claims.items())),
        (Message("Claims of the access token"), list(judgement.access_claims.items())),
    ]
    return _page(
        200,
        language,
        tone="good" if good and not remarks else "mild" if good else "bad",
        title=Message("The sign-in works") if good else Message("The sign-in does not work yet"),
        lead=Message("People can sign in to LibreChat at {url} with Auth0.", url=public_url)
        if good
        else Message("People cannot sign in to LibreChat yet. See below what to change."),
        results=judgement.results,
        claims=[(name, values) for name, values in claims if values],
        footer=sentences("No token was stored.", _TO_THE_TERMINAL if good else _TEST_AGAIN),
    )


def refusal_page(status: int, lead: Message, language: Language, *, is_over: bool) -> Answer:
    """Return the page for a refused request; it repeats nothing of the request."""
    return _page(
        status,
        language,
        tone="mild",
        title=Message("This is not part of the sign-in"),
        lead=lead,
        footer=_TO_THE_TERMINAL
        if is_over
        else Message(
            "The sign-in continues: open the link that librechat-auth0 shows in the terminal."
        ),
    )


def _page(status: int, language: Language, **shown: object) -> Answer:
    values = {"results": (), "claims": (), **shown}
    return page(
        status, "sign-in-result.html.j2", language, page=values, marks=_MARKS, segments=_segments
    )


def _segments(text: str) -> Sequence[tuple[str, bool]]:
    """Split the text into pieces, each with whether it is a link."""
    return [(part, bool(index % 2)) for index, part in enumerate(re.split(_LINK, text)) if part]
