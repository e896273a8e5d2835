"""The demo tenant as a server: discovery, loopback only, silent, quick to start and stop."""

from __future__ import annotations

import errno
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.demo.client import Client, answer, location
from tests.providers import AUDIENCE, EMAIL, PASSWORD, Authority, Demo, furnish
from tests.sockets import reachable_addresses
from tests.tenant.faults import tenant_server
from tests.tenant.state import Interruption, Tenant
from wizard.demo.endpoints import NO_START
from wizard.findings import Failure
from wizard.http import Https, NetworkError, Trouble
from wizard.system import loopback
from wizard.system.processes import Processes
from wizard.tunnels.certificates import local_authority


def secrets_of(demo: Demo, tokens: dict[str, str]) -> list[str]:
    issued = [tokens[name] for name in ("access_token", "id_token", "refresh_token")]
    return [*issued, PASSWORD, demo.application.client_secret]


def discovery(demo: Demo) -> dict[str, Any]:
    return answer(Client(demo).send("GET", ".well-known/openid-configuration"))


class TestDiscovery:
    def test_document(self, demo: Demo) -> None:
        document = discovery(demo)
        assert document["issuer"] == demo.issuer == f"https://{demo.tenant.domain}/"
        assert document["end_session_endpoint"] == f"{demo.issuer}oidc/logout"
        assert document["code_challenge_methods_supported"] == ["S256"]
        for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            assert document[endpoint].startswith(demo.issuer)

    def test_older_tenants_do_not_list_the_logout_endpoint(self, demo: Demo) -> None:
        demo.tenant.rp_logout_discovery = False
        assert "end_session_endpoint" not in discovery(demo)

    def test_fields_can_be_replaced_and_removed(self, demo: Demo) -> None:
        demo.tenant.changed_metadata = {"issuer": "https://other/", "jwks_uri": None}
        document = discovery(demo)
        assert document["issuer"] == "https://other/"
        assert "jwks_uri" not in document

    def test_keys_are_public(self, demo: Demo) -> None:
        response = Client(demo).send("GET", ".well-known/jwks.json")
        (key,) = json.loads(response.body)["keys"]
        assert key.keys() == {"kty", "n", "e", "use", "alg", "kid"}


class TestFaults:
    def test_an_interruption_answers_instead(self, demo: Demo) -> None:
        demo.tenant.interruption = Interruption(200, "<h1>Hotel</h1>", path="/.well-known/")
        response = Client(demo).send("GET", ".well-known/openid-configuration")
        assert (response.status, response.text, response.is_html) == (200, "<h1>Hotel</h1>", True)
        assert Client(demo).authorize().status == 302

    def test_handles_requests_concurrently(self, demo: Demo) -> None:
        meeting = threading.Barrier(4)

        def meet(path: str) -> None:
            meeting.wait(60)

        demo.tenant.before = meet
        with ThreadPoolExecutor(4) as pool:
            documents = list(pool.map(discovery, [demo] * 4))
        assert [document["issuer"] for document in documents] == [demo.issuer] * 4

    def test_records_visits_without_queries(self, demo: Demo) -> None:
        Client(demo).authorize(client_id="nobody")
        (visit,) = demo.tenant.visits
        assert (visit.method, visit.path, visit.status) == ("GET", "/authorize", 400)

    def test_unknown_paths_and_methods(self, demo: Demo) -> None:
        assert Client(demo).send("GET", "nothing/here").status == 404
        assert Client(demo).send("GET", "oauth/token").status == 405

    def test_rejects_another_host_name(self, demo: Demo) -> None:
        url = f"{demo.issuer}.well-known/openid-configuration"
        response = demo.http.request("GET", url, headers={"Host": "evil.example"})
        assert (response.status, response.text) == (404, "Not found")


class TestServer:
    def test_leaves_nothing_behind(self, authority: Authority) -> None:
        threads = set(threading.enumerate())
        tenant = Tenant()
        with tenant_server(tenant, authority.certificate, authority.key):
            url = f"{tenant.issuer}.well-known/openid-configuration"
            http = authority.http()
            assert http.request("GET", url).status == 200
        with pytest.raises(NetworkError) as caught:
            http.request("GET", url)
        assert caught.value.trouble in {Trouble.REFUSED, Trouble.DROPPED}
        assert set(threading.enumerate()) <= threads

    def test_is_on_loopback_only(self, demo: Demo) -> None:
        port = int(demo.tenant.domain.rpartition(":")[2])
        for address in reachable_addresses():
            with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
                socket.create_connection((address, port), timeout=1).close()
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            pass

    def test_with_the_certificate_of_the_local_tunnel(self, tmp_path: Path) -> None:
        authority = local_authority(tmp_path / "state", Processes())
        tenant = Tenant()
        with tenant_server(tenant, authority.certificate_file, authority.certificate_file):
            http = Https({"SSL_CERT_FILE": str(authority.ca_file)})
            for host in ("localhost", "127.0.0.1"):
                port = tenant.domain.rpartition(":")[2]
                url = f"https://{host}:{port}/.well-known/openid-configuration"
                assert http.request("GET", url).status == 200

    def test_no_port_is_free(self, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(port: int) -> list[socket.socket]:
            raise OSError(errno.EADDRINUSE, "Address already in use")

        monkeypatch.setattr(loopback, "listeners", full)
        server = tenant_server(Tenant(), authority.certificate, authority.key)
        with pytest.raises(Failure) as caught, server:
            pass
        assert caught.value.finding.rule is NO_START
        assert "already in use" in caught.value.finding.detail

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_unusable_certificate(
        self, authority: Authority, tmp_path: Path, content: str | None
    ) -> None:
        certificate = tmp_path / "certificate.pem"
        if content is not None:
            certificate.write_text(content)
        server = tenant_server(Tenant(), certificate, authority.key)
        with pytest.raises(Failure) as caught, server:
            pass
        assert caught.value.finding.rule is NO_START

    def test_prints_nothing(self, authority: Authority, capfd: pytest.CaptureFixture[str]) -> None:
        """Nothing is printed to the terminal, whatever the request."""
        tenant = Tenant()
        with tenant_server(tenant, authority.certificate, authority.key):
            demo = furnish(tenant, authority.http())
            client = Client(demo)
            client.tokens()
            client.refresh("bogus")
            port = int(tenant.domain.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with suppress(ConnectionResetError):
                    plain.recv(100)
        assert capfd.readouterr() == ("", "")

    def test_nothing_secret_in_a_repr(self, demo: Demo) -> None:
        tokens = Client(demo).tokens()
        shown = repr(demo.tenant) + repr(demo.setup) + repr(demo.tenant.sign_ins)
        for secret in secrets_of(demo, tokens):
            assert secret not in shown


class TestLoginPage:
    def test_a_deleted_application(self, demo: Demo) -> None:
        client = Client(demo)
        link = location(client.authorize())
        demo.tenant.applications.clear()
        assert client.send("GET", link).status == 400

    def test_is_a_simple_form_with_the_demo_user(self, demo: Demo) -> None:
        client = Client(demo)
        page = client.send("GET", location(client.authorize())).text
        assert "Demo tenant" in page
        assert f'value="{EMAIL}"' in page
        assert re.search(r'type="password"[^>]*value="correct horse', page)
        assert "Log in to LibreChat" in page
        assert "auth0" not in page.lower()
        assert not re.search(r"(src|href)=", page)

    def test_consent_page_names_api_scope_and_callback(self, demo: Demo) -> None:
        demo.api.skip_consent_for_verifiable_first_party_clients = False
        client = Client(demo)
        page = client.send("GET", location(client.log_in(client.authorize()))).text
        for shown in (AUDIENCE, "offline_access", demo.setup.callback_url):
            assert shown in page
