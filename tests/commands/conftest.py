"""A tenant with its Management API for these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FixedClock
from tests.management_stand_in import Managed, StandIn, add_machine, running_stand_in
from tests.providers import Authority, authority
from tests.tenant.state import Tenant

__all__ = ["authority", "managed", "stand_in"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A LibreChat folder with nothing else in it."""
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    return folder


@pytest.fixture(scope="session")
def stand_in(authority: Authority) -> Iterator[StandIn]:
    with running_stand_in(authority, Tenant()) as running:
        yield running


@pytest.fixture
def managed(authority: Authority, stand_in: StandIn) -> Managed:
    """A new tenant that has nothing but access to its Management API."""
    tenant, clock = stand_in.tenant, FixedClock()
    tenant.reset(clock.now)
    stand_in.reset()
    return Managed(tenant, stand_in, authority.http(), add_machine(tenant), clock)
