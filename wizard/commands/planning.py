"""The plan for the `.env` of a checkout, by all that lies in its folder."""

from __future__ import annotations

from wizard.librechat.checkout import Checkout, signs_of_use
from wizard.librechat.env_store import EnvStore
from wizard.librechat.setup import EnvPlan, plan_env
from wizard.ports import Ports
from wizard.settings import SetupSettings


def plan_for(
    settings: SetupSettings, existing: bytes | None, checkout: Checkout, port: int, ports: Ports
) -> EnvPlan:
    """What the file shall be; see `plan_env`.

    Raises:
        Failure: a value cannot be written, or a file cannot be read or edited safely.
    """
    return plan_env(
        settings,
        existing,
        EnvStore(checkout.env_example, ports.state_dir).read(),
        signs_of_use=signs_of_use(checkout.folder, ports.processes),
        port=port,
    )
