"""The default tunnel: ngrok, public and with an account's own URL each time.

pyngrok knows where the agent is downloaded and parses its log. We download and start it ourselves:
pyngrok's installer prints its progress and saves the archive where others can change it; its
`connect` shows the authtoken in the process list or changes our environment and error output, and
limits neither the wait for the agent nor the length of its lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from wizard.findings import Failure
from wizard.language import Message
from wizard.settings import InvalidValue, parse_public_url
from wizard.system.private_files import private_folder, write_whole
from wizard.system.processes import Processes
from wizard.system.supervisor import NOT_RUNNABLE, NOT_STARTED
from wizard.tunnel_services import NGROK
from wizard.tunnels import Offer, TunnelRequest, is_own, ngrok_agent, ngrok_config, ngrok_errors
from wizard.tunnels.child import ChildTunnel
from wizard.tunnels.local_api import LocalApi

# After a refusal: an agent that is about to end says more.
ENDING_SECONDS = 0.5
# Log messages of the agent (3.37.2; pyngrok.process waits for the first three).
_API_IS_UP = "starting web service"
_TUNNELS_CAN_START = "tunnel session started"
_CONNECTED = "client session established"
_LOST = "session closed, starting reconnect loop"
_NOT_REACHED = "failed to reconnect session"


class NgrokTunnel(ChildTunnel):
    """An ngrok URL, by an agent of ours or by a running one that already leads to LibreChat."""

    name = "ngrok"
    summary = Message("With a free account, visitors first see a warning page.")
    domains = NGROK.domains
    has_stable_url = True
    lost_url = ngrok_errors.FOREIGN_DOMAIN
    url_in_use = ngrok_errors.ALREADY_ONLINE
    _program = Message("The ngrok agent")
    start_seconds = 20.0

    def __init__(
        self, request: TunnelRequest, processes: Processes, environ: Mapping[str, str]
    ) -> None:
        super().__init__(request, processes, environ)
        self._api = LocalApi()
        self._token = ""
        self._agent: Path | None = None
        self._configuration = ngrok_config.Configuration(Path())
        self._is_open = False
        self._heard: set[str] = set()
        self._address = ""
        self._error = ""
        self._requests: ngrok_agent.RequestLog | None = None

    @staticmethod
    def offer(_: Processes, environ: Mapping[str, str]) -> Offer:
        program = ngrok_agent.find_agent(environ)
        agent = Message("its agent ({program})", program=program or Message("a download of 10 MB"))
        try:
            token = ngrok_config.known_token(environ)
        except Failure as failure:
            problem = failure.finding.detail
            return Offer(False, Message("a valid configuration ({problem})", problem=problem))
        if token:
            return Offer(True, Message("your authtoken (found) and {agent}", agent=agent))
        return Offer(
            False,
            Message("the authtoken of a free account and {agent}", agent=agent),
            missing=Message("no authtoken") if program else "",
            credential_question=Message("ngrok authtoken (hidden)"),
            credential_hint=Message(
                "Find it in your free account: {page}", page=ngrok_errors.TOKEN_PAGE
            ),
            save_credential=partial(ngrok_config.save_authtoken, environ=environ),
        )

    def _start(self) -> str:
        self._child, self._is_open, self._address, self._error = None, False, "", ""
        self._heard = set()
        requested = self._url or _parsed(self._request.requested_url.strip())
        own_host = urlsplit(requested).hostname
        self.domains = (*NGROK.domains, own_host) if own_host else NGROK.domains
        self._configuration = ngrok_config.read(self._environ)
        addresses = ngrok_agent.api_addresses(self._configuration.web_address)
        port = self._request.port
        running = ngrok_agent.running_endpoints(self._api, port, requested, addresses)
        found = next((one for one in running if is_own(one.public_url, self.domains)), None)
        if found is None:
            address = super()._start()
            try:
                url = ngrok_agent.open_endpoint(self._api, address, port, requested)
            except Failure as failure:
                raise self._better(failure, addresses) from None
            found = ngrok_agent.Running(address, url)
        self._address = found.address
        self._requests = ngrok_agent.RequestLog(self._api, found.address)
        self._is_open = True
        return found.public_url

    def _command(self) -> Sequence[str]:
        self._progress(Message("Starting ngrok"))
        self._token = self._find_token()
        self._environ["NGROK_AUTHTOKEN"] = self._token
        agent = ngrok_agent.find_agent(self._environ)
        if agent is None:
            agent = ngrok_agent.download_agent(self._environ, self._progress)
        ngrok_agent.refuse_old(self._processes, agent, self._environ)
        self._agent = agent
        # The arguments of pyngrok's `_start_process`.
        return (
            *(str(agent), "start", "--none", "--log", "stdout"),
            *("--config", str(self._configuration_for_agent())),
        )

    def _hear(self, line: str) -> None:
        from pyngrok.log import NgrokLog

        log = NgrokLog(line)
        said, error = log.msg or "", log.err or ""
        if log.lvl in {"ERROR", "CRITICAL"}:
            self._error = error or self._error
        if not self._is_open:
            if _API_IS_UP in said:
                self._address = log.addr or ""
            if _NOT_REACHED in said and _NOT_REACHED not in self._heard:
                self._progress(Message("ngrok cannot reach its servers and is retrying"))
            states = (_TUNNELS_CAN_START, _CONNECTED, _NOT_REACHED)
            self._heard |= {state for state in states if state in said}
            if self._address and self._heard >= {_TUNNELS_CAN_START, _CONNECTED}:
                self._is_open_at(self._address)
        elif _LOST in said:
            self._lose(Message("ngrok lost its connection to its servers and is reconnecting"))
        elif _CONNECTED in said:
            self._regain()
        elif log.lvl == "ERROR" and (rule := ngrok_errors.rule_of(error)):
            title, detail = Message.of(rule.title), ngrok_errors.readable(error)
            self._lose(Message("{title}: {detail}", title=title, detail=detail))

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        errors = [line.removeprefix("ERROR:") for line in said if line.startswith("ERROR:")]
        text = self._error or " ".join(errors or said[-1:])
        otherwise = ngrok_errors.AGENT_ENDED
        if _NOT_REACHED in self._heard:
            otherwise = ngrok_errors.NO_NETWORK
        elif "configuration file" in text:
            otherwise = ngrok_errors.BAD_CONFIGURATION
        elif status in {NOT_RUNNABLE, NOT_STARTED}:
            otherwise, text = ngrok_errors.BROKEN_AGENT, f"{self._agent}: {text}"
        elif status is None:
            return ngrok_errors.SILENT_AGENT.failure(
                Message(
                    "It was not ready after {seconds} seconds ({program}).",
                    seconds=f"{self.start_seconds:g}",
                    program=self._agent,
                )
            )
        return ngrok_errors.failure_of(text, otherwise=otherwise, secrets=(self._token,))

    def _ended(self) -> str:
        if self._child is not None:
            return super()._ended()
        port, addresses = self._request.port, (self._address,)
        if any(ngrok_agent.running_endpoints(self._api, port, self._url, addresses)):
            return ""
        return Message("the ngrok agent that led here was stopped")

    def _poll(self) -> None:
        for event in self._requests.news() if self._requests else ():
            self._request.on_event(event)

    def _find_token(self) -> str:
        """Return the authtoken for the agent's environment, or raise LA301 or LA302."""
        given = self._request.token or self._environ.get("NGROK_AUTHTOKEN", "").strip()
        token = given or self._configuration.token
        if not token:
            raise ngrok_errors.NO_TOKEN.failure(
                Message(
                    "Neither NGROK_AUTHTOKEN nor {file} has one.", file=self._configuration.path
                )
            )
        if self._request.token:
            ngrok_config.check_token(token)
        return token

    def _configuration_for_agent(self) -> Path:
        """Return the user's own file, or one of ours if that is missing, old or has another token.

        Without a file, the agent would create one; and it is not documented whether the token of
        the file or of the environment counts.
        """
        configuration = self._configuration
        if configuration.is_outdated:
            self._progress(
                Message(
                    "{file} has an old form; run ngrok config upgrade to use it with ngrok itself",
                    file=configuration.path,
                )
            )
        elif configuration.exists and configuration.token in {"", self._token}:
            return configuration.path
        own = private_folder(self._request.state_dir) / "ngrok.yml"
        write_whole(own, configuration.without_secrets().encode())
        return own

    def _better(self, failure: Failure, addresses: Sequence[str]) -> Failure:
        """Return the failure with its cause: the agent has ended, or another one has the URL."""
        if failure.finding.rule is ngrok_errors.REFUSED and self._child is not None:
            status = self._child.wait(ENDING_SECONDS)
            if status is not None:
                return self.explain(self._child.said, status)
        detail = failure.finding.detail
        url = re.search(r"https://[^\s'\"]+", detail)
        if failure.finding.rule is not ngrok_errors.ALREADY_ONLINE or not url:
            return failure
        page = ngrok_agent.holder_of(self._api, url[0], addresses)
        if not page:
            return failure
        return ngrok_errors.ALREADY_ONLINE.failure(
            detail,
            fix=Message(
                "Stop the agent that uses it on this computer ({page}) with Ctrl-C in its terminal,"
                " then run the command again.",
                page=page,
            ),
        )


PROVIDER = NgrokTunnel


def _parsed(requested: str) -> str:
    """Return the requested URL, "" for none, or raise LA318."""
    try:
        return parse_public_url(requested) if requested else ""
    except InvalidValue as error:
        raise ngrok_errors.NOT_A_DOMAIN.failure(error.reason) from None
