"""The default tunnel: ngrok, by pyngrok. Public, and with an account's own URL each time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.findings import Failure
from wizard.language import Message
from wizard.private import private_folder
from wizard.reading import load_json
from wizard.settings import InvalidValue, parse_public_url
from wizard.tunnels import (
    Offer,
    Tunnel,
    TunnelRequest,
    ngrok_agent,
    ngrok_config,
    without_librechat_variables,
)
from wizard.tunnels.ngrok_errors import (
    AGENT_ENDED,
    ALREADY_ONLINE,
    BAD_CONFIGURATION,
    BROKEN_AGENT,
    FOREIGN_DOMAIN,
    NO_NETWORK,
    NO_TOKEN,
    NOT_A_DOMAIN,
    REFUSED,
    RULES,
    TOKEN_PAGE,
    failure_of,
    readable,
    rule_of,
)
from wizard.tunnels.supervised import SupervisedTunnel

if TYPE_CHECKING:
    from pyngrok.conf import PyngrokConfig
    from pyngrok.log import NgrokLog

    from wizard.processes import Processes

__all__ = ["PROVIDER", "RULES"]

START_SECONDS = 30.0
# Until when pyngrok gives the agent to reach ngrok; the agent itself tries for ever.
SESSION_SECONDS = 15
# The agent's own words (3.37.2, and the facts of `pyngrok.process`).
_SESSION_LOST = "session closed, starting reconnect loop"
_SESSION_STANDS = "client session established"
_NOT_REACHED = "failed to reconnect session"


class NgrokTunnel(SupervisedTunnel):
    """LibreChat at an ngrok URL: by an agent of ours, or by one that leads there already."""

    def __init__(
        self,
        request: TunnelRequest,
        processes: Processes,
        environ: Mapping[str, str],
        *,
        start_seconds: float = START_SECONDS,
    ) -> None:
        super().__init__(request)
        self._processes = processes
        self._environ = environ
        self._start_seconds = start_seconds
        self._agent: ngrok_agent.OwnAgent | None = None
        self._stands = False
        self._address = ""
        self._requests: ngrok_agent.RequestLog | None = None

    def _start(self) -> str:
        self._agent = None
        self._stands = False
        wanted = self._url or self._requested_url()
        configuration = ngrok_config.read(self._environ)
        addresses = ngrok_agent.api_addresses(configuration.web_address)
        found = ngrok_agent.running_endpoint(self._request.port, wanted, addresses)
        if found is None:
            found = self._run_agent(configuration, wanted, addresses)
        self._address = found.address
        self._requests = ngrok_agent.RequestLog(found.address)
        self._stands = True
        return found.public_url

    def _run_agent(
        self,
        configuration: ngrok_config.Configuration,
        wanted: str,
        addresses: tuple[str, ...],
    ) -> ngrok_agent.Running:
        from pyngrok.exception import PyngrokError

        self._progress(Message("Starting ngrok"))
        token = self._token(configuration)
        environ = {**without_librechat_variables(self._environ), "NGROK_AUTHTOKEN": token}
        program = ngrok_agent.find_agent(environ)
        if program is None:
            program = ngrok_agent.download_agent(environ, self._progress)
        version = ngrok_agent.version_of(program, self._processes, environ)
        has_endpoints = version >= ngrok_agent.ENDPOINTS_SINCE
        pinned = {"url": wanted} if has_endpoints else {"domain": wanted.removeprefix("https://")}
        agent = self._agent = ngrok_agent.OwnAgent(environ)
        if self._closing.is_set():
            agent.close()
        try:
            config = self._pyngrok_config(program, configuration, token, has_endpoints)
            endpoint = agent.connect(
                config,
                self._request.port,
                seconds=self._start_seconds,
                **(pinned if wanted else {}),
            )
        except (PyngrokError, OSError) as error:
            raise explained(error, agent.said, token=token, addresses=addresses) from None
        return ngrok_agent.Running(agent.address, str(endpoint.public_url).rstrip("/"))

    def _stop(self) -> None:
        if self._agent is not None:
            self._agent.close()

    def _ended(self) -> str:
        if self._agent is not None:
            status = self._agent.status
            if status is None:
                return ""
            return Message("the ngrok agent ended (exit status {status})", status=status)
        known = ngrok_agent.running_endpoint(self._request.port, self._url, (self._address,))
        return "" if known else Message("the ngrok agent that led here has been stopped")

    def _observe(self) -> None:
        for event in (self._requests and self._requests.news()) or ():
            self._request.on_event(event)

    def _hear(self, log: NgrokLog) -> None:
        """What the agent says, from the moment it is started."""
        said = log.msg or ""
        if not self._stands:
            if _NOT_REACHED in said:
                self._progress(Message("ngrok cannot reach its servers yet, it tries again"))
        elif _SESSION_LOST in said:
            self._lose(Message("ngrok lost the connection to its servers and tries again"))
        elif _SESSION_STANDS in said:
            self._regain()
        elif log.lvl == "ERROR" and (rule := rule_of(log.err or "")):
            title, detail = Message.of(rule.title), readable(log.err or "")
            self._lose(Message("{title}: {detail}", title=title, detail=detail))

    def _token(self, configuration: ngrok_config.Configuration) -> str:
        """The authtoken for the agent's environment, which is no place that others read.

        Raises:
            Failure: LA301, LA302.
        """
        given = self._request.token or self._environ.get("NGROK_AUTHTOKEN", "").strip()
        token = given or configuration.token
        if not token:
            raise NO_TOKEN.failure(
                Message("Neither NGROK_AUTHTOKEN nor {file} holds one.", file=configuration.path)
            )
        if self._request.token:
            ngrok_config.check_token(token)
        return token

    def _requested_url(self) -> str:
        wanted = self._request.requested_url.strip()
        try:
            return parse_public_url(wanted) if wanted else ""
        except InvalidValue as error:
            raise NOT_A_DOMAIN.failure(error.reason) from None

    def _pyngrok_config(
        self,
        program: Path,
        configuration: ngrok_config.Configuration,
        token: str,
        has_endpoints: bool,
    ) -> PyngrokConfig:
        from pyngrok.conf import PyngrokConfig

        return PyngrokConfig(
            ngrok_path=str(program),
            config_path=str(self._configuration_for_agent(configuration, token)),
            config_version="3" if has_endpoints else "2",
            startup_timeout=SESSION_SECONDS,
            request_timeout=SESSION_SECONDS,
            log_event_callback=self._hear,
            start_new_session=True,
        )

    def _configuration_for_agent(
        self, configuration: ngrok_config.Configuration, token: str
    ) -> Path:
        """The user's own file, unless it is missing or says another token than the given one.

        pyngrok would create the missing one, readable for all, and in a form that agents before
        3.16 refuse; and whether the file's token or the environment's counts is not documented.
        """
        if configuration.exists and configuration.token in {"", token}:
            return configuration.path
        own = private_folder(self._request.state_dir) / "ngrok.yml"
        own.write_text(configuration.without_secrets(), "utf-8")
        return own


def explained(
    error: Exception, said: str, *, token: str = "", addresses: Sequence[str] = ()
) -> Failure:
    """What pyngrok raised, as what the user can do about it.

    Args:
        error: a `PyngrokError`, or an `OSError` from the start of the agent.
        said: the agent's own error output.
        token: what must not be repeated.
        addresses: where to look for the agent that holds the URL.
    """
    from pyngrok.exception import PyngrokNgrokError, PyngrokNgrokHTTPError

    text, otherwise = str(error), BROKEN_AGENT
    if isinstance(error, PyngrokNgrokHTTPError):
        text, otherwise = _reason(error.body), REFUSED
    elif isinstance(error, PyngrokNgrokError):
        text = error.ngrok_error or said.replace("ERROR:", "") or text
        heard = any(_NOT_REACHED in (log.msg or "") for log in error.ngrok_logs)
        otherwise = NO_NETWORK if heard else AGENT_ENDED
    if "configuration file" in text:
        otherwise = BAD_CONFIGURATION
    failure = failure_of(text, otherwise=otherwise, secrets=(token,))
    if failure.finding.rule is ALREADY_ONLINE:
        return _with_holder(failure, addresses)
    return failure


def _reason(body: str) -> str:
    """The agent's reason in its API's refusal: `{"msg": …, "details": {"err": …}}`."""
    try:
        document = load_json(body)
        return str(document["details"].get("err") or document["msg"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return body


def _with_holder(failure: Failure, addresses: Sequence[str]) -> Failure:
    """The failure, its fix naming the agent on this machine that holds the URL if one does."""
    detail = failure.finding.detail
    url = re.search(r"https://[^\s'\"]+", detail)
    page = ngrok_agent.holder_of(url[0], addresses) if url else ""
    if not page:
        return failure
    return ALREADY_ONLINE.failure(
        detail,
        fix=Message(
            "The agent that holds it runs on this machine; {page} shows what it forwards."
            " Stop it (Ctrl-C in its terminal), then run the command again.",
            page=page,
        ),
    )


class Ngrok:
    """See `wizard.tunnels.Provider`."""

    name = "ngrok"
    summary = Message("Visitors of a free account's URL first meet a page of ngrok's.")
    domains = (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev", ".ngrok.io")
    default_url = ""
    has_reusable_url = True
    lost_url_rules = (FOREIGN_DOMAIN,)
    url_in_use_rules = (ALREADY_ONLINE,)

    def offer(
        self,
        processes: Processes,  # noqa: ARG002 - the agent is not only looked for on the path
        environ: Mapping[str, str],
    ) -> Offer:
        """See `Provider.offer`."""
        program = ngrok_agent.find_agent(environ)
        agent = Message("its agent ({program})", program=program or Message("a download of 10 MB"))
        try:
            token = ngrok_config.known_token(environ)
        except Failure as failure:
            needs = Message(
                "a configuration that can be read ({problem})", problem=failure.finding.detail
            )
            return Offer(False, needs, stable_url=True, public=True)
        needs = (
            Message("your authtoken (found) and {agent}", agent=agent)
            if token
            else Message("the authtoken of a free account and {agent}", agent=agent)
        )
        return Offer(
            bool(token),
            needs,
            stable_url=True,
            public=True,
            credential_question="" if token else Message("ngrok authtoken (hidden)"),
            credential_hint=Message("A free account has one: {page}", page=TOKEN_PAGE),
            save_credential=partial(ngrok_config.save_authtoken, environ=environ),
        )

    def tunnel(
        self, request: TunnelRequest, processes: Processes, environ: Mapping[str, str]
    ) -> Tunnel:
        """See `Provider.tunnel`."""
        return NgrokTunnel(request, processes, environ)


PROVIDER = Ngrok()
