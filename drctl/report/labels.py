"""How people fill in a report's fields that no machine knows: a note that begins with the field's name.

``drctl note last "severity: major"``: the label is what stands before the first colon, in English or in
French, in any case.
"""

from __future__ import annotations

from collections.abc import Mapping

LABELS: Mapping[str, str] = {
    "severity": "severity", "gravité": "severity", "gravite": "severity",
    "authors": "authors", "author": "authors", "auteurs": "authors", "auteur": "authors",
    "sites": "sites", "exams": "patients", "patients": "patients", "examens": "patients",
    "well": "well", "bien": "well", "ce qui a bien marché": "well", "what went well": "well",
    "badly": "badly", "mal": "badly", "ce qui a mal marché": "badly", "what went badly": "badly",
    "luck": "luck", "lucky": "luck", "chance": "luck",
    "type": "exercise-type", "exercise": "exercise-type", "exercice": "exercise-type",
    "scope": "scope", "périmètre": "scope", "perimetre": "scope",
    "out of scope": "out-of-scope", "hors périmètre": "out-of-scope", "hors perimetre": "out-of-scope",
    "scenario": "scenario", "scénario": "scenario",
    "participants": "participants",
    "authorisations": "authorisations", "authorisation": "authorisations", "autorisations": "authorisations",
    "autorisation": "authorisations",
    "objectives": "objectives", "objective": "objectives", "objectifs": "objectives", "objectif": "objectives",
    "criteria": "criteria", "critères": "criteria", "criteres": "criteria",
    "isolation": "isolation", "isolement": "isolation", "cloisonnement": "isolation",
    "cleanup": "cleanup", "nettoyage": "cleanup",
    "changes": "changes", "changements": "changes", "évolutions": "changes",
    "next drill": "next-drill", "prochain exercice": "next-drill",
    "sign-off": "sign-off", "visa": "sign-off",
    "authorities": "authorities", "autorités": "authorities", "autorites": "authorities",
    "personal data": "personal-data", "données personnelles": "personal-data", "donnees personnelles": "personal-data",
    "cross-border": "cross-border", "transfrontalier": "cross-border",
    "indicators": "indicators", "indicateurs": "indicators",
    "security": "security", "sécurité": "security", "securite": "security",
    "conclusion": "conclusion",
    "distribution": "distribution", "diffusion": "distribution",
}  # fmt: skip


def read_label(text: str) -> tuple[str, str]:
    """Return the field a note answers, empty if none, and the note without its label."""
    before, colon, after = text.partition(":")
    label = LABELS.get(before.strip().lower(), "") if colon else ""
    return (label, after.strip()) if label and after.strip() else ("", text)
