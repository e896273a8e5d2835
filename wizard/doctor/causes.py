"""Findings that only follow from another one: the cause is shown, its consequences are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wizard.findings import Finding

# The public URL is dead, leads elsewhere, the button is off, LibreChat died.
CONSEQUENCES: Mapping[str, frozenset[str]] = {
    "LA530": frozenset({"LA231", "LA531", "LA532", "LA534"}),
    "LA532": frozenset({"LA231"}),
    "LA100": frozenset({"LA522", "LA523", "LA526", "LA529"}),
    "LA101": frozenset({"LA522"}),
    "LA102": frozenset({"LA526"}),
    "LA504": frozenset({"LA523"}),
    "LA580": frozenset({"LA520", "LA530", "LA531", "LA535"}),
    "LA582": frozenset({"LA526"}),
    "LA200": frozenset({"LA582"}),
    "LA237": frozenset({"LA584"}),
    "LA119": frozenset({"LA581"}),
    "LA524": frozenset({"LA525", "LA594"}),
    "LA522": frozenset({"LA594"}),
    "LA523": frozenset({"LA594"}),
}


def without_consequences(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that are not explained by another of them."""
    explained = {
        consequence for each in findings for consequence in CONSEQUENCES.get(each.rule.id, ())
    }
    return [each for each in findings if each.rule.id not in explained]
