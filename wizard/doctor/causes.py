"""Findings that only follow from another one: the cause is shown, its consequences are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wizard.findings import Finding

_NO_COOKIE = frozenset({"LA583", "LA527"})
_NO_METADATA = frozenset({"LA526", "LA582"})
_WRONG_CALLBACK = frozenset({"LA231", "LA585"})
# A cause, and the findings that vanish with it.
CONSEQUENCES: Mapping[str, frozenset[str]] = {
    # The .env
    "LA100": frozenset({"LA522", "LA523", "LA526", "LA529"}),
    "LA101": frozenset({"LA522"}),
    "LA102": frozenset({"LA526"}),
    "LA103": frozenset({"LA522", "LA237", "LA244"}),
    **dict.fromkeys(("LA105", "LA106", "LA107"), _WRONG_CALLBACK),
    **dict.fromkeys(("LA108", "LA109", "LA110", "LA111"), _NO_METADATA),
    "LA118": frozenset({"LA589"}),
    "LA119": frozenset({"LA581"}),
    "LA127": _NO_COOKIE | _WRONG_CALLBACK,
    **dict.fromkeys(("LA128", "LA171"), _NO_COOKIE),
    **dict.fromkeys(("LA133", "LA134"), frozenset({"LA230", "LA237"})),
    "LA135": frozenset({"LA237", "LA584"}),
    "LA166": frozenset({"LA580", "LA520"}),
    "LA182": frozenset({"LA116"}),
    "LA504": frozenset({"LA523"}),
    # The tenant
    **{f"LA{number}": _NO_METADATA | {"LA642"} for number in range(200, 214)},
    "LA232": frozenset({"LA585"}),
    "LA233": frozenset({"LA585"}),
    "LA237": frozenset({"LA584"}),
    "LA238": frozenset({"LA581"}),
    "LA244": frozenset({"LA584"}),
    # LibreChat: it died, its public URL is dead or leads elsewhere.
    "LA580": frozenset({"LA520", "LA530", "LA531", "LA535"}),
    "LA520": frozenset({"LA531"}),
    "LA582": frozenset({"LA526"}),
    "LA527": frozenset({"LA583"}),
    "LA530": frozenset({"LA231", "LA437", "LA531", "LA532", "LA534"}),
    "LA532": frozenset({"LA231", "LA437"}),
    "LA524": frozenset({"LA525"}),
}


def without_consequences(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that are not explained by another of them."""
    explained = {
        consequence for each in findings for consequence in CONSEQUENCES.get(each.rule.id, ())
    }
    return [each for each in findings if each.rule.id not in explained]
