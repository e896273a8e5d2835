"""Providers for these tests."""

from tests.providers import (
    authority,
    demo,
    demo_server,
    node_modules,
    oidc_provider,
    simulacrum,
)

__all__ = ["authority", "demo", "demo_server", "node_modules", "oidc_provider", "simulacrum"]
