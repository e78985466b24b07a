"""The verbs, in the order people meet them; known without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping

VERBS: Mapping[str, Mapping[str, str]] = {
    "Author": {
        "validate": "Check runbooks and inventory: language, references, lost-site rule.",
        "explain": "Say what actions and probes read, change, undo and output.",
        "schema": "Print the JSON Schema of runbook, inventory, answers or report.",
    },
    "Prepare": {
        "precheck": "Look, read-only, whether a failover would find what it needs.",
        "plan": "Show step by step what would change; touch nothing.",
        "recovery-points": "List the snapshots a failover or drill can be served from.",
    },
    "Run": {
        "failover": "Take over on the standby site; may lose data since the last transfer, says how much.",
        "switchover": "Move on purpose: source sealed, last transfer proven, nothing lost.",
        "reprotect": "Replicate in the other direction after a failover or switchover.",
        "failback": "Move back on purpose, then protect the original direction again.",
        "drill": "Rehearse the failover in an isolated bubble, on copies.",
        "cleanup": "Take away what a drill made; prove that nothing is left.",
        "rollback": "Undo a failed or aborted failover, while that is possible.",
        "resume": "Go on with a stopped run, after reading reality again.",
        "retry": "Try a failed or indeterminate step again.",
        "skip": "Go on without a step; needs a reason.",
        "abort": "End a run for good; needs a reason.",
    },
    "Decide": {
        "answer": "Answer a gate or manual step of a run, from any terminal.",
        "note": "Write a human fact into a run's journal.",
    },
    "Look": {
        "status": "Show where a run stands and what it waits for.",
        "runs": "List the runs.",
        "log": "Print or follow a run's journal.",
        "report": "Write a run's post-incident or drill report: Markdown, HTML, PDF or JSON.",
        "verify": "Check a run's hash chain, digests and signature, offline.",
        "sign": "Sign where a run's journal ends, with an SSH key.",
        "handover": "Write one page for the colleague who takes a run over.",
        "message": "Write a ready-to-send status text from a run's journal.",
        "coverage": "Show what of a runbook was exercised, when, and what has gone stale.",
    },
    "Learn": {
        "lab": "Start, stop, break and inspect a simulated estate.",
    },
}

EXIT_CODES: Mapping[int, str] = {
    0: "completed, everything as wished",
    1: "a step failed and the run stopped; resumable",
    2: "bad usage, runbook or inventory; nothing was touched",
    3: "a precheck or the plan found a blocker; nothing was touched",
    4: "waiting for a person, and no terminal to ask on",
    5: "another run holds the lock; its owner is named",
    6: "the world or the files drifted from the approved plan",
    7: "a step is indeterminate and needs a person",
    8: "completed with exceptions (skipped or tolerated failures)",
    130: "interrupted; resumable",
    143: "terminated; resumable",
}


def exit_codes(*codes: int, **own: str) -> str:
    """Return the lines that document some exit codes in a verb's help; ``own`` meanings as ``_1="…"``."""
    meanings = {code: EXIT_CODES[code] for code in codes} | {int(c[1:]): text for c, text in own.items()}
    lines = [f"  {code:>3}  {meanings[code]}" for code in sorted(meanings)]
    return "Exit codes:\n\n\b\n" + "\n".join(lines)
