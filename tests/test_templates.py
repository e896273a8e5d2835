"""Templates speak the user's language, and never HTML by accident."""

from __future__ import annotations

from tests.languages import speaking
from wizard.templates import environment

DUTCH = speaking(
    {"Log in to {application}": "Aanmelden bij {application} <nu>", "Continue": "Doorgaan"}
)


def test_a_text_is_said_with_its_values() -> None:
    template = environment(DUTCH).from_string(
        '{{ lang }}: {{ _("Log in to {application}", application=name) }} {{ _("Continue") }}'
    )

    said = template.render(name="<b>LibreChat</b>")

    assert said == ("nl: Aanmelden bij &lt;b&gt;LibreChat&lt;/b&gt; &lt;nu&gt; Doorgaan")


def test_without_a_language_they_speak_english() -> None:
    template = environment().from_string('{{ lang }}: {{ _("Hello, {name}", name="{x}") }}')

    assert template.render() == "en: Hello, {x}"
