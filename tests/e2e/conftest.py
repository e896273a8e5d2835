"""Providers for these tests."""

from tests.commands.conftest import checkout, managed, stand_in
from tests.providers import (
    authority,
    demo,
    demo_server,
    node_modules,
    oidc_provider,
    simulacrum,
)

__all__ = [
    "authority",
    "checkout",
    "demo",
    "demo_server",
    "managed",
    "node_modules",
    "oidc_provider",
    "simulacrum",
    "stand_in",
]
