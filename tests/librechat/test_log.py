"""LibreChat's log: the last start, the last sign-in, and hostile logs."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wizard.findings import Finding
from wizard.librechat import log
from wizard.librechat.log import judge_log, parse, read_log

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: int) -> str:
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.123Z")


def error_line(second: int, message: str, **fields: object) -> str:
    return json.dumps({"level": "error", "message": message, **fields, "timestamp": at(second)})


def debug_line(second: int, level: str, message: str) -> str:
    return f"{at(second)} {level}: {message}"


def write(folder: Path, kind: str, *lines: str, date: str = "2026-11-20") -> Path:
    path = folder / "api" / "logs" / f"{kind}-{date}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def findings(folder: Path, since: datetime = START) -> list[Finding]:
    return list(judge_log(read_log(folder, {}, since.timestamp())))


def rules(folder: Path, since: datetime = START) -> list[str]:
    return [each.rule.id for each in findings(folder, since)]


REFUSED = "[OpenID OAuth] Callback authentication failed"


STORM = "[requireJwtAuth] Authentication failed after all strategies"
TAKEN = 'Attempted OpenID login by user a@b.test, was registered with "local" provider'
NO_TENANT = error_line(1, "[openidStrategy] fetch failed", cause={"code": "ENOTFOUND"})
NOT_CONFIGURED = error_line(2, "OpenID Connect configuration failed - strategy not registered.")
BAD_ANSWER = f"{REFUSED} server responded with an error in the response body"
SIGNATURE = f'{STORM} {{"reason":"invalid signature"}}'

KNOWN = {
    "LA580": [error_line(5, "Failed to start server: JwtStrategy requires a secret or key")],
    "LA581": [error_line(5, "[setOpenIDAuthTokens] No refresh token available")],
    "LA582": [NO_TENANT, NOT_CONFIGURED],
    "LA583": [debug_line(3, "warn", f"{REFUSED} Unable to verify authorization request state")],
    "LA584": [debug_line(3, "warn", BAD_ANSWER)],
    "LA585": [debug_line(3, "warn", f"{REFUSED} Service not found: https://api.field.test")],
    "LA586": [
        error_line(2, "[openidStrategy] Key 'roles' not found in id token!"),
        debug_line(3, "warn", f'{REFUSED} You must have "staff" role to log in.'),
    ],
    "LA587": [debug_line(3, "warn", f"{REFUSED} Email domain not allowed")],
    "LA588": [debug_line(2, "warn", TAKEN), debug_line(3, "warn", f"{REFUSED} auth_failed")],
    "LA589": [error_line(3, "User validation failed: email: can't be blank")],
    "LA590": [debug_line(3, "warn", SIGNATURE)],
    "LA591": [debug_line(3, "warn", f"{REFUSED} auth_failed")],
}


@pytest.mark.parametrize("expected", KNOWN)
def test_each_known_message_has_its_rule(expected: str, tmp_path: Path) -> None:
    for kind in ("error", "debug"):
        lines = [line for line in KNOWN[expected] if line.startswith("{") == (kind == "error")]
        write(tmp_path, kind, *lines)

    assert rules(tmp_path) == [expected]


OF_REQUEST = '{"requestId":"7f3a","request_method":"GET","request_path":"/oauth"}'
OTHER_USER = "[openidStrategy] Rejected email fallback for a@b.test: stored openidId does not match"


def of_page(category: str) -> str:
    fields = {"requestId": "7f3a", "primary_failure_reason_category": category}
    return f"{STORM} {json.dumps(fields, separators=(',', ':'))}"


# As other versions write them: 0.8.0 in its files and on its console, and 0.8.8.
OTHER_VERSIONS = [
    ("LA581", error_line(5, "[setOpenIDAuthTokens] No access or refresh token found in tokenset")),
    ("LA585", error_line(5, "Error in OAuth authentication: Only staff may sign in")),
    ("LA587", error_line(5, "Error in OAuth authentication: Email domain not allowed")),
    ("LA591", error_line(5, "Error in OAuth authentication: Unknown error")),
    (
        "LA584",
        error_line(
            5, "ErrorController => error server responded with an error in the response body"
        ),
    ),
    ("LA585", debug_line(5, "warn", f"Only staff may sign in {OF_REQUEST}")),
    ("LA591", debug_line(5, "warn", f"auth_failed {OF_REQUEST}")),
    ("LA588", debug_line(5, "warn", f"{OTHER_USER} token sub {OF_REQUEST}")),
    ("LA590", debug_line(5, "warn", of_page("malformed_jwt"))),
]


@pytest.mark.parametrize(("expected", "line"), OTHER_VERSIONS)
def test_lines_of_other_versions_have_the_same_rules(
    expected: str, line: str, tmp_path: Path
) -> None:
    write(tmp_path, "error" if line.startswith("{") else "debug", line)

    (finding,) = findings(tmp_path)

    assert finding.rule.id == expected
    assert "requestId" not in finding.detail


@pytest.mark.parametrize(
    "message",
    [
        of_page("expired_jwt"),
        f"[openidStrategy] user not found with email: a@b.test {OF_REQUEST}",
        f"Error parsing conversation {OF_REQUEST.replace('/oauth', '/api/convos')}",
    ],
)
def test_other_lines_of_0_8_8_say_nothing(message: str, tmp_path: Path) -> None:
    write(tmp_path, "debug", debug_line(5, "warn", message))

    assert rules(tmp_path) == []


@pytest.mark.parametrize(
    ("level", "message", "expected"),
    [
        ("error", "Only staff may sign in", ["LA585"]),
        ("error", "auth_failed", ["LA591"]),
        ("error", 'Unknown authentication strategy "openid"', []),
        ("warn", "Only staff may sign in", []),
    ],
)
def test_a_file_before_0_8_7_has_only_the_reason_behind_a_request(
    level: str, message: str, expected: list[str], tmp_path: Path
) -> None:
    asked = debug_line(5, "debug", "X-Forwarded headers detected in OAuth request:")
    fields = ["{", '  x-forwarded-proto: "https",', "}"]
    write(tmp_path, "debug", asked, *fields, debug_line(6, level, message))

    assert rules(tmp_path) == expected


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("connect ECONNREFUSED 127.0.0.1:27017", "connect ECONNREFUSED 127.0.0.1:27017"),
        ("There was an uncaught error: JwtStrategy requires a secret", "JwtStrategy requires"),
        ("Failed to start server: no", ": no"),
    ],
)
def test_an_error_of_the_start_is_known_by_its_stack(
    message: str, reason: str, tmp_path: Path
) -> None:
    stack = "Error: it\n    at async startServer (/srv/chat/api/server/index.js:137:3)"
    no_config = "ENOENT: no such file or directory, open '/srv/chat/librechat.yaml'"
    dies = error_line(2, message, stack=stack)
    write(tmp_path, "error", dies, error_line(3, no_config, stack=stack))
    (finding,) = judge_log(read_log(tmp_path, {}, 0.0), is_running=False)

    assert finding.rule.id == "LA580"
    assert reason in finding.detail

    write(tmp_path, "debug", debug_line(9, "info", "Server listening at http://localhost:3080"))
    assert rules(tmp_path) == []


def test_a_port_in_use_ends_a_start(tmp_path: Path) -> None:
    write(tmp_path, "debug", debug_line(2, "error", "listen EADDRINUSE: address already in use"))

    assert rules(tmp_path) == ["LA580"]


def test_an_expired_bearer_and_meilisearch_are_not_faults(tmp_path: Path) -> None:
    write(tmp_path, "error", error_line(1, "[indexSync] error fetch failed"))
    storm = (
        '[requireJwtAuth] Authentication failed after all strategies {"reason":"invalid algorithm"}'
    )
    write(tmp_path, "debug", debug_line(2, "warn", storm))

    assert rules(tmp_path) == []


def test_shows_the_cause_with_its_code_and_time(tmp_path: Path) -> None:
    write(tmp_path, "error", NO_TENANT, NOT_CONFIGURED)

    (finding,) = findings(tmp_path)

    local = (START + timedelta(seconds=2)).astimezone().strftime("%H:%M:%S")
    assert "api/logs/error-2026-11-20.log" in finding.detail.replace(os.sep, "/")
    assert "fetch failed (ENOTFOUND)" in finding.detail
    assert local in finding.detail


def test_ignores_lines_of_an_earlier_process(tmp_path: Path) -> None:
    write(tmp_path, "error", error_line(5, "[setOpenIDAuthTokens] No refresh token available"))

    assert rules(tmp_path, START + timedelta(seconds=6)) == []
    assert rules(tmp_path, LONG_AGO) == ["LA581"]


def test_a_later_success_cancels_a_failure(tmp_path: Path) -> None:
    failed = debug_line(3, "warn", f"{REFUSED} Email domain not allowed")
    success = debug_line(9, "info", "[openidStrategy] login success openidId: auth0|1")

    write(tmp_path, "debug", failed, success)
    assert rules(tmp_path) == []

    write(tmp_path, "debug", success, failed.replace(at(3), at(12)))
    assert rules(tmp_path) == ["LA587"]


def test_a_sign_in_without_a_refresh_token_is_not_a_success(tmp_path: Path) -> None:
    write(tmp_path, "debug", debug_line(3, "info", "[openidStrategy] login success openidId: x"))
    write(tmp_path, "error", error_line(4, "[setOpenIDAuthTokens] No refresh token available"))

    assert rules(tmp_path) == ["LA581"]


def test_a_successful_retry_of_discovery_is_not_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "error", error_line(2, "OpenID Connect configuration failed - strategy"))
    write(tmp_path, "debug", debug_line(7, "info", "OpenID Connect configured successfully."))

    assert rules(tmp_path) == []


def test_ignores_lines_before_a_restart(tmp_path: Path) -> None:
    write(
        tmp_path,
        "debug",
        debug_line(3, "warn", f"{REFUSED} Email domain not allowed"),
        debug_line(20, "info", "Server listening at http://localhost:3080"),
    )

    assert rules(tmp_path, LONG_AGO) == []


def test_an_unspecific_line_long_after_a_specific_one_is_another_attempt(tmp_path: Path) -> None:
    specific = debug_line(3, "warn", f"{REFUSED} Email domain not allowed")
    write(tmp_path, "debug", specific, debug_line(60, "warn", f"{REFUSED} auth_failed"))

    assert rules(tmp_path) == ["LA591"]


def test_reports_only_the_crash_when_nothing_is_running(tmp_path: Path) -> None:
    write(tmp_path, "error", error_line(3, "[setOpenIDAuthTokens] No refresh token available"))
    assert not [*judge_log(read_log(tmp_path, {}, 0.0), is_running=False)]

    write(tmp_path, "error", error_line(5, "Failed to start server: connect ECONNREFUSED"))
    (finding,) = judge_log(read_log(tmp_path, {}, 0.0), is_running=False)
    assert finding.rule.id == "LA580"


def test_never_shows_an_email_address(tmp_path: Path) -> None:
    line = debug_line(3, "warn", f"{REFUSED} jo.public@field.test may not come in")
    write(tmp_path, "debug", line)

    (finding,) = findings(tmp_path)

    assert "jo.public" not in finding.detail
    assert "may not come in" in finding.detail


def test_reads_a_console_with_colours_and_dockers_timestamps() -> None:
    console = (
        "2026-11-20T09:00:03.123456789Z \x1b[33m2026-11-20 09:00:03 warn: "
        f"{REFUSED} Email domain not allowed\x1b[39m\n"
        f"2026-11-20T09:00:04.5Z {error_line(4, 'Failed to start server: no')}\n"
    )

    first, second = parse(console)

    at = datetime(2026, 11, 20, 9, 0, 3, 123456, tzinfo=UTC)
    assert (first.level, first.at) == ("warn", at.timestamp())
    assert second.message == "Failed to start server: no"


def test_bounds_and_sanitizes_hostile_lines(tmp_path: Path) -> None:
    write(
        tmp_path,
        "debug",
        "A" * (10 << 20),
        "{" * 100_000,
        '{"level": ["error"], "message": {}}',
        f"{at(2)} error: \x1b]0;owned\x07 {REFUSED} \x1b[2J\u202eevil " + "B" * 5000,
    )

    (finding,) = findings(tmp_path)

    assert len(finding.detail) < 400
    assert not set("\x1b\x07\u202e") & set(finding.detail)


def test_reads_only_the_end_of_100_000_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MOST_BYTES", 10_000)
    noise = [debug_line(1, "warn", f"noise {number}") for number in range(100_000)]
    last = debug_line(3, "warn", f"{REFUSED} Email domain not allowed")
    write(tmp_path, "debug", debug_line(1, "warn", f"{REFUSED} first"), *noise, last)

    read = read_log(tmp_path, {}, START.timestamp())

    assert len(read.lines) < 400
    assert [each.rule.id for each in judge_log(read)] == ["LA587"]


def test_reads_a_growing_log_once(tmp_path: Path) -> None:
    path = write(tmp_path, "debug", debug_line(3, "warn", f"{REFUSED} Email domain not allowed"))
    stop = threading.Event()

    def grow() -> None:
        with path.open("a", encoding="utf-8") as file:
            while not stop.is_set():
                file.write(debug_line(2, "warn", "more") + "\n")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        read = read_log(tmp_path, {}, START.timestamp())
    finally:
        stop.set()
        writer.join()

    assert sum(len(line.message) for line in read.lines) <= log.MOST_BYTES


def test_names_an_unreadable_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "error", error_line(1, "anything"))

    def refuse(_: Path, limit: int) -> bytes:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(log, "read_end", refuse)

    (finding,) = findings(tmp_path)

    assert finding.rule.id == "LA592"
    assert str(path) in finding.detail


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_does_not_block_on_a_pipe_in_place_of_a_log(tmp_path: Path) -> None:
    folder = tmp_path / "api" / "logs"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "error-2026-11-20.log")

    assert findings(tmp_path) == []


def test_accepts_another_log_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, "error", error_line(5, "[setOpenIDAuthTokens] No refresh token available"))

    found = judge_log(
        read_log(tmp_path, {"LIBRECHAT_LOG_DIR": "elsewhere/api/logs"}, START.timestamp())
    )

    assert [each.rule.id for each in found] == ["LA581"]
    assert findings(tmp_path) == []
