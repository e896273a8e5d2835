"""Requests to the Management API.

Answers must match Auth0's OpenAPI description and must not contain the token. Other answers become
a `Failure` that does not quote them, since they can hold secrets.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urlencode

from wizard.auth0.management_access import SCOPES_MISSING, Access
from wizard.auth0.redact import quoted
from wizard.auth0.retry import Patient
from wizard.auth0.tenant import network_finding
from wizard.findings import Failure
from wizard.http import NetworkError, Response
from wizard.language import Message
from wizard.rules import rule
from wizard.system.clock import Clock
from wizard.system.reading import load_json

AT_THE_LIMIT = rule("LA603")
REFUSED = rule("LA606")
NOT_UNDERSTOOD = rule("LA607")
GONE = rule("LA608")
TOO_LONG = rule("LA623")

MOST_SECONDS = 180.0  # of one `read` or `apply`, waits for rate limits included
MOST_PAGES = 50
PAGE = 100
_SMALL_PAGE = 50
_NO_CONTENT = 204
_RETRIES = 8
_LONGEST_WAIT = 60.0
_LIMIT_WORDS = ("limit", "upgrade", "entitlement", "quota", "maximum")

Json = Mapping[str, object]
T = TypeVar("T")


class Calls:
    """Requests with one deadline, counted from now."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.access = access
        self.clock = clock
        self.has_written = False  # a change was accepted
        self._end = clock.now() + MOST_SECONDS
        self._http = Patient(access.http, clock, _RETRIES, _LONGEST_WAIT, self._end, {"GET"})

    def get(self, path: str, **query: object) -> Answer:
        """Send a GET request."""
        return self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    def find(self, path: str, **query: object) -> Answer | None:
        """Send a GET request; return None if there is no such object."""
        try:
            return self.get(path, **query)
        except Failure as failure:
            if failure.finding.rule is GONE:
                return None
            raise

    def save(self, kind: str, known: str, values: Json) -> Answer:
        """Create an object, or change the one with that ID, "" for none."""
        if not known:
            return self.send("POST", kind, values)
        return self.send("PATCH", f"{kind}/{segment(known)}", values)

    def all(self, path: str, name: str, **query: object) -> Iterator[Answer]:
        """Yield every item of a list whose answers can have totals."""
        return self.pages(path, name, **query, per_page=PAGE, include_totals="true")

    def pages(self, path: str, name: str, **query: object) -> Iterator[Answer]:
        """Yield every item of a list, page by page; without a total until one is empty."""
        seen = 0
        for page in range(MOST_PAGES):
            answer = self.get(path, **{"per_page": _SMALL_PAGE, **query}, page=page)
            items = answer.objects(name)
            yield from items
            seen += len(items)
            if not items or seen == answer.value("total", int):
                return
        raise _too_many(path)

    def chain(self, path: str, name: str, /, **query: object) -> Iterator[Answer]:
        """Yield every item of a list whose answers name the next page."""
        query["take"] = _SMALL_PAGE
        for _ in range(MOST_PAGES):
            answer = self.get(path, **query)
            yield from answer.objects(name)
            if not (following := answer.string("next")):
                return
            query["from"] = following
        raise _too_many(path)

    def send(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request; a list that is answered is the object's `items`."""
        if self.clock.now() >= self._end:
            raise TOO_LONG.failure(
                Message("It took over {seconds} seconds.", seconds=int(MOST_SECONDS))
            )
        token = self.access.token
        secrets = [token] if token else []
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        url = f"https://{self.access.tenant}/api/v2/{path}"
        try:
            answer = self._http.request(method, url, body=content, headers=headers)
        except NetworkError as error:
            raise Failure(network_finding(error, secrets)) from None
        said = {} if answer.status == _NO_CONTENT else _said(answer)
        if not 200 <= answer.status < 300:
            raise _failure(answer.status, said, secrets)
        self.has_written |= method != "GET"
        if said is None or not _is_fit(said, secrets):
            raise NOT_UNDERSTOOD.failure()
        return Answer(said)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object in which null means absent; a value of the wrong type raises `Failure`."""

    said: Json = field(repr=False)

    def value(self, name: str, kind: type[T]) -> T | None:
        """Return the value, None if there is none."""
        value = self.said.get(name)
        return None if value is None else _of_type(value, kind)

    def string(self, name: str) -> str:
        """Return the string, "" if there is none."""
        return self.value(name, str) or ""

    def needed(self, name: str) -> str:
        """Return the string, which must exist."""
        if string := self.string(name):
            return string
        raise NOT_UNDERSTOOD.failure()

    def strings(self, name: str) -> tuple[str, ...]:
        """Return the list of strings, () if there is none."""
        return tuple(_of_type(each, str) for each in self.value(name, list) or ())

    def object(self, name: str) -> Answer | None:
        """Return the object, None if there is none."""
        value = self.value(name, dict)
        return None if value is None else Answer(value)

    def objects(self, name: str) -> list[Answer]:
        """Return the list of objects, which must exist."""
        return [Answer(_of_type(each, dict)) for each in _of_type(self.said.get(name), list)]


NOTHING = Answer({})


def _said(answer: Response) -> Json | None:
    try:
        said = load_json(answer.body)
    except ValueError:
        return None
    if isinstance(said, list):
        return {"items": said}
    return said if isinstance(said, dict) else None


def _too_many(kind: str) -> Failure:
    return TOO_LONG.failure(
        Message("More than {pages} pages of {kind}.", pages=MOST_PAGES, kind=kind)
    )


_BY_STATUS = {401: rule("LA601"), 404: GONE, 409: rule("LA604"), 429: rule("LA605")}


def _failure(status: int, said: Json | None, secrets: Collection[str]) -> Failure:
    if said is None or "statusCode" not in said:
        return NOT_UNDERSTOOD.failure(
            Message("Auth0 answered with status {status}.", status=status)
        )
    message, code = (
        quoted(value, secrets=secrets) if isinstance(value := said.get(name), str) else ""
        for name in ("message", "errorCode")
    )
    # Auth0 gives a plan that lacks a feature the same code (recordings of auth0-deploy-cli).
    if status == 403 and code == "insufficient_scope" and "upgrade" not in message:
        return SCOPES_MISSING.failure(f"{message}.")
    rule = REFUSED if status in {400, 403} else _BY_STATUS.get(status, NOT_UNDERSTOOD)
    is_limit = any(word in f"{code} {message}".lower() for word in _LIMIT_WORDS)
    if status in {402, 403} and is_limit:
        rule = AT_THE_LIMIT
    if not message:
        return rule.failure(Message("Auth0 answered with status {status}.", status=status))
    detail = Message("Auth0 answered with status {status}: {words}.")
    return rule.failure(detail.filled(status=status, words=message.removesuffix(".")))


def _is_fit(said: Json, secrets: Collection[str]) -> bool:
    """Return whether the answer can be encoded and holds none of the secrets."""
    try:
        text = json.dumps(said, ensure_ascii=False)
        text.encode()  # fails for lone surrogates
    except (ValueError, RecursionError):
        return False
    return not any(secret in text for secret in secrets)


def _of_type(value: object, kind: type[T]) -> T:
    if type(value) is not kind:  # isinstance takes True for an int
        raise NOT_UNDERSTOOD.failure()
    return value


def segment(text: str) -> str:
    """Return the text as one segment of a path."""
    return quote(text, safe="")
