from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wizard.auth0.added_urls import AddedUrls
from wizard.settings import NO_URLS, Urls


def urls(*callbacks: str) -> Urls:
    return {**NO_URLS, "callbacks": callbacks}


@pytest.fixture
def record(tmp_path: Path) -> AddedUrls:
    return AddedUrls(tmp_path, "dev-abc.us.auth0.com", "client", tmp_path / ".env")


def test_retires_our_urls_when_no_longer_needed(record: AddedUrls) -> None:
    record.before_adding(urls("theirs"), urls("first"))
    record.after_adding(urls("theirs", "first"), urls("first"))

    assert record.retired(urls("first")) == NO_URLS
    assert record.retired(urls("second")) == urls("first")


def test_never_retires_urls_that_existed_before(record: AddedUrls) -> None:
    record.before_adding(urls("first"), urls("first"))
    record.after_adding(urls("first"), urls("first"))

    assert record.retired(urls("second")) == NO_URLS


def test_remembers_urls_of_an_interrupted_run(record: AddedUrls) -> None:
    record.before_adding(urls(), urls("first"))

    assert record.retired(urls("second")) == urls("first")


def test_forgets_urls_that_were_removed(record: AddedUrls) -> None:
    record.before_adding(urls(), urls("first"))
    record.after_adding(urls(), urls("first"))

    assert record.retired(urls("second")) == NO_URLS


def test_keeps_urls_that_another_env_file_uses(record: AddedUrls, tmp_path: Path) -> None:
    other = replace(record, env_file=tmp_path / "other.env")
    record.before_adding(urls(), urls("shared"))
    record.after_adding(urls("shared"), urls("shared"))
    other.after_adding(urls("shared"), urls("shared"))

    assert record.retired(urls("second")) == NO_URLS
    record.after_adding(urls("shared", "second"), urls("second"))
    assert other.retired(urls("third")) == urls("shared")


def test_each_application_has_its_own_record(record: AddedUrls) -> None:
    record.before_adding(urls(), urls("first"))

    assert replace(record, client_id="another").retired(urls("second")) == NO_URLS


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"added": 1, "used": 2}', "[" * 10_000])
def test_ignores_a_broken_record(record: AddedUrls, tmp_path: Path, text: str) -> None:
    record.before_adding(urls(), urls("first"))
    (path,) = (tmp_path / "provisioned").iterdir()
    path.write_text(text)

    assert record.retired(urls("second")) == NO_URLS
    record.before_adding(urls(), urls("first"))
    assert json.loads(path.read_text())["added"]["callbacks"] == ["first"]


def test_works_when_the_folder_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = AddedUrls(tmp_path / "file", "t", "c", tmp_path / ".env")

    record.before_adding(urls(), urls("first"))

    assert record.retired(urls("second")) == NO_URLS
