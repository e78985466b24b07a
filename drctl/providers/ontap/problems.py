"""What ONTAP's refusals mean, and what to do about the ones people meet in a failover.

Codes and texts: NetApp's REST reference (docs.netapp.com) and the issues of its Ansible collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drctl.core.problem import Problem, ProviderError
from drctl.providers.ontap.model import Job

PEER_UNREACHABLE: Final = 262224
ENTRY_MISSING: Final = 4
DUPLICATE: Final = 1
BREAK_FAILED: Final = 13303808

ALREADY: Final = frozenset({DUPLICATE, 1704070, 13303832})
"""Said of something that is there already: read again, it may be as wished."""

TRANSIENT: Final = frozenset(
    {
        6619715,  # modification in progress
        6619720,  # information is propagating, retry
        13107406,  # another volume operation is running
        13303816,  # state not readable at the moment
        13303830,  # transient state
        13304159,  # status not readable at the moment
        13434915,  # SVM create job running
        13434916,  # SVM delete job running
    }
)
"""Codes whose own text says that the same call will pass a little later."""

BUSY_TEXTS: Final = ("another transfer", "temporarily locked", "operation is in progress")

HINTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        6: "Give the account a role that may do this (security login role), or use another account.",
        PEER_UNREACHABLE: "The source cluster does not answer: allow `override: true` to break without it.",
        13303808: "If a transfer runs, abort it (snapmirror abort) or raise `quiesce_timeout`.",
        13303823: "A transfer did not end in time: raise the timeout, or break, which aborts it.",
        13303848: "Transfers of a synchronous relationship cannot be aborted; quiesce it first.",
        655399: "Create and join the CIFS server of this SVM first (vserver cifs create).",
        655551: "The share's path does not exist on this SVM: mount its volume before sharing it.",
        1703954: "The export policy does not exist on this SVM.",
        917533: "Bring the volume online first (volume online).",
        917536: "The volume is not initialised, or a clone split or a lock holds it; the text says which.",
        918252: "The junction path is not valid, or its parent is not mounted.",
        1376997: "The node that holds the interface is not healthy.",
        1376999: "The port that holds the interface is down.",
        13434880: "Look at `vserver show` and the EMS log for what stops the SVM from changing state.",
    }
)


def code_of(error: ProviderError) -> int | None:
    """Return ONTAP's own code of an error, None when it has none."""
    _, _, code = error.problem.code.partition("-")
    return int(code) if code.isdigit() else None


def is_busy(error: ProviderError) -> bool:
    """Say whether another transfer or operation is what stands in the way."""
    text = f"{error.problem.summary} {error.problem.detail}".lower()
    return any(words in text for words in BUSY_TEXTS)


def refusal(
    doing: str, endpoint: str, code: int | None, message: str, target: str = "", *, status: int | None = None
) -> ProviderError:
    """Return what ONTAP refused, in its own words; ``doing`` reads "break svm:vol"."""
    words = message.strip().rstrip(".")
    facts = [f"ONTAP code {code}" if code is not None else ""]
    facts.append(f"HTTP status {status}" if status and words else "")
    facts.append(f"target {target}" if target else "")
    problem = Problem(
        code="ontap-auth" if status == 401 else f"ontap-{code if code is not None else status}",
        summary=f"{endpoint} refused to {doing}: {words or f'HTTP status {status}'}",
        detail=", ".join(filter(None, facts)),
        hint=_hint(code, status),
        endpoint=endpoint,
    )
    error = ProviderError(problem)
    error.transient = code in TRANSIENT or status in {429, 503} or is_busy(error)
    error.transient |= code is None and status is not None and status >= 500
    return error


def _hint(code: int | None, status: int | None) -> str:
    if status == 401:
        return "Check the endpoint's username and password; the account must be allowed to use http."
    if code is None and status is not None and status >= 500:
        return "Its management service answers and does not work: look at the cluster's health, then again."
    return HINTS.get(code, "") if code is not None else ""


def job_failure(job: Job, doing: str, endpoint: str) -> ProviderError:
    """Return why a job failed, with the code that NetApp's client drops."""
    if job.state != "failure" and not job.code and not (job.error and job.error.code):
        problem = Problem(
            code=f"ontap-job-{job.state}",
            summary=f"the job to {doing} ended as {job.state}: {job.message or 'no reason given'}",
            detail=f"job {job.uuid} ({job.description})",
            hint="Somebody or something on the array stopped it; look at `job show`, then retry.",
            endpoint=endpoint,
        )
        return ProviderError(problem)
    code = int(job.error.code) if job.error and job.error.code.isdigit() else job.code or None
    message = job.error.message if job.error and job.error.message else job.message
    return refusal(doing, endpoint, code, message or "the job failed without a reason")


def unreachable(endpoint: str, address: str, why: str) -> ProviderError:
    """Return that no connection came about; nothing was sent."""
    problem = Problem(
        code="ontap-unreachable",
        summary=f"{endpoint} ({address}) cannot be reached: {why}",
        hint="Check the address, the network and the cluster's management interface.",
        endpoint=endpoint,
    )
    return ProviderError(problem, unreachable=True)


def untrusted(endpoint: str, address: str, why: str) -> ProviderError:
    """Return that the certificate was not accepted; nothing was sent."""
    problem = Problem(
        code="ontap-tls",
        summary=f"{endpoint} ({address}) shows a certificate that is not trusted: {why}",
        hint=f"Renew the certificate of {endpoint}; if it is still valid, correct this machine's clock."
        if "expired" in why
        else "Put its issuer's certificate in the endpoint's ca_file; set tls_name if only the name differs.",
        endpoint=endpoint,
    )
    return ProviderError(problem)


def no_reply(doing: str, endpoint: str, why: str, *, changing: bool) -> ProviderError:
    """Return that a request was sent and not answered: a change may have taken effect."""
    problem = Problem(
        code="ontap-no-reply",
        summary=f"{endpoint} gave no answer to the request to {doing}: {why}",
        detail="It may have taken effect." if changing else "",
        hint="Read the object again before repeating it." if changing else "",
        endpoint=endpoint,
    )
    return ProviderError(problem, transient=not changing, unreachable=not changing, effect_unknown=changing)


def unexpected_answer(doing: str, endpoint: str, why: str, *, changing: bool = False) -> ProviderError:
    """Return that the answer is not what ONTAP's documentation promises."""
    problem = Problem(
        code="ontap-answer",
        summary=f"{endpoint} gave an unexpected answer to the request to {doing}",
        detail=why,
        hint="Is this the cluster management address of an ONTAP 9.8 or later?",
        endpoint=endpoint,
    )
    return ProviderError(problem, effect_unknown=changing)


def outlived(doing: str, endpoint: str, what: str) -> ProviderError:
    """Return that the step's time is up while the array is still at it."""
    problem = Problem(
        code="ontap-timeout",
        summary=f"{endpoint} has not finished to {doing} in time: {what}",
        detail="The array goes on by itself.",
        hint="Raise the step's timeout; resuming follows what is still running.",
        endpoint=endpoint,
    )
    return ProviderError(problem, effect_unknown=True)


def vanished(what: str, endpoint: str) -> ProviderError:
    """Return that something planned for is not there any more."""
    problem = Problem(
        code="ontap-vanished",
        summary=f"{what} does not exist on {endpoint} any more",
        hint="It was there when the step was planned; look who removed it.",
        endpoint=endpoint,
    )
    return ProviderError(problem)
