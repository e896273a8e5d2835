"""Templates use the user's language, and never produce HTML by accident."""

from __future__ import annotations

from tests.languages import speaking
from wizard.templates import environment

DUTCH = speaking(
    {"Log in to {application}": "Aanmelden bij {application} <nu>", "Continue": "Doorgaan"}
)


def test_fills_in_values() -> None:
    template = environment(DUTCH).from_string(
        '{{ lang }}: {{ _("Log in to {application}", application=name) }} {{ _("Continue") }}'
    )

    said = template.render(name="<b>LibreChat</b>")

    assert said == ("nl: Aanmelden bij &lt;b&gt;LibreChat&lt;/b&gt; &lt;nu&gt; Doorgaan")


def test_defaults_to_english() -> None:
    template = environment().from_string('{{ lang }}: {{ _("Hello, {name}", name="{x}") }}')

    assert template.render() == "en: Hello, {x}"
