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


def test_what_we_added_is_retired_when_it_is_needed_no_longer(record: AddedUrls) -> None:
    record.before_adding(urls("theirs"), urls("first"))
    record.after_adding(urls("theirs", "first"), urls("first"))

    assert record.retired(urls("first")) == NO_URLS
    assert record.retired(urls("second")) == urls("first")


def test_what_was_there_before_us_is_never_retired(record: AddedUrls) -> None:
    record.before_adding(urls("first"), urls("first"))
    record.after_adding(urls("first"), urls("first"))

    assert record.retired(urls("second")) == NO_URLS


def test_what_an_interrupted_run_added_is_known(record: AddedUrls) -> None:
    record.before_adding(urls(), urls("first"))

    assert record.retired(urls("second")) == urls("first")


def test_what_somebody_took_away_is_forgotten(record: AddedUrls) -> None:
    record.before_adding(urls(), urls("first"))
    record.after_adding(urls(), urls("first"))

    assert record.retired(urls("second")) == NO_URLS


def test_what_another_env_file_uses_stays(record: AddedUrls, tmp_path: Path) -> None:
    other = replace(record, env_file=tmp_path / "other.env")
    record.before_adding(urls(), urls("shared"))
    record.after_adding(urls("shared"), urls("shared"))
    other.after_adding(urls("shared"), urls("shared"))

    assert record.retired(urls("second")) == NO_URLS
    record.after_adding(urls("shared", "second"), urls("second"))
    assert other.retired(urls("third")) == urls("shared")


def test_applications_do_not_share_a_record(record: AddedUrls) -> None:
    record.before_adding(urls(), urls("first"))

    assert replace(record, client_id="another").retired(urls("second")) == NO_URLS


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"added": 1, "used": 2}', "[" * 10_000])
def test_a_broken_record_is_none(record: AddedUrls, tmp_path: Path, text: str) -> None:
    record.before_adding(urls(), urls("first"))
    (path,) = (tmp_path / "provisioned").iterdir()
    path.write_text(text)

    assert record.retired(urls("second")) == NO_URLS
    record.before_adding(urls(), urls("first"))
    assert json.loads(path.read_text())["added"]["callbacks"] == ["first"]


def test_a_folder_that_cannot_be_made_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = AddedUrls(tmp_path / "file", "t", "c", tmp_path / ".env")

    record.before_adding(urls(), urls("first"))

    assert record.retired(urls("second")) == NO_URLS
