"""drctl with a journal that kills the process.

``child.py WHEN N`` and then ``failover|drill RUNBOOK ANSWERS [NAME=POINT]`` (rolled back in place, agreed),
``cleanup``, ``rollback`` or ``resume [ANSWERS]``.

WHEN is ``before`` (nothing of write N reaches the disk), ``torn`` (half of it does), ``after`` (all of
it does, and nothing else happens), ``end-of`` (N is a step: nothing of the write that ends it reaches the
disk) or ``never``. Prints how many writes there were.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from drctl.app.aftermath import Undoer, aftermath
from drctl.app.answers import prepared_answers
from drctl.app.approval import Approval
from drctl.app.case import Case, Files, load_case, opened, prepare, refuse_blockers
from drctl.app.context import Context, system_context
from drctl.app.in_place import agreed_to, planned_deletions
from drctl.app.points import ROLLED_BACK
from drctl.app.reprotect import reprotect
from drctl.app.resume import go_on, resuming
from drctl.app.session import Audience
from drctl.app.start import start
from drctl.engine.execute import Stop
from drctl.engine.journal import JournalFile
from drctl.engine.people import People
from drctl.engine.step import Mode

WHEN, AT = sys.argv[1], sys.argv[2]


def ends(line: bytes, step: str) -> bool:
    """Say whether a line of the journal is the end of a step."""
    event = json.loads(line)
    return bool(event["type"] == "StepFinished" and event["data"]["step"] == step)


class DyingFile(JournalFile):
    """A journal file whose N-th write in this process is its last."""

    writes = 0

    def _persist(self, content: bytes) -> None:
        DyingFile.writes += 1
        ending = WHEN == "end-of" and any(ends(line, AT) for line in content.splitlines())
        last = ending or str(DyingFile.writes) == AT
        if last and WHEN in {"before", "end-of"}:
            os.kill(os.getpid(), signal.SIGKILL)
        if last and WHEN == "torn":
            os.write(self._fd, content[: len(content) // 2])
            os.fsync(self._fd)
            os.kill(os.getpid(), signal.SIGKILL)
        super()._persist(content)
        if last and WHEN == "after":
            os.kill(os.getpid(), signal.SIGKILL)


def watching(context: Context, answers: str | None, case: Case) -> Audience:
    path = Path(answers) if answers else None
    return Audience(People(False, context.actor, prepared_answers(path, case.expansion)), Stop())


def begin(context: Context, mode: Mode, runbook: str, answers: str, rolled_back: str = "") -> int:
    files = Files(Path(runbook), Path(os.environ["DRCTL_INVENTORY"]))
    case = load_case(context, files, mode, {ROLLED_BACK: rolled_back})
    with opened(case, context) as binder:
        plan = prepare(case, binder)
        refuse_blockers(plan)
        case = agreed_to(case, planned_deletions(plan))
        approval = Approval("yes", context.actor, "crash test")
        ended = start(context, case, files, binder, plan, approval, watching(context, answers, case))
    return int(ended.exit_code)


def undo(context: Context, mode: Undoer) -> int:
    found = aftermath(context, "last", mode)
    with opened(found.case, context) as binder:
        plan = prepare(found.case, binder)
        refuse_blockers(plan)
        approval = Approval("yes", context.actor, "crash test")
        audience = Audience(People(False, context.actor, {}), Stop())
        ended = start(context, found.case, found.files, binder, plan, approval, audience)
    return int(ended.exit_code)


def protect(context: Context) -> int:
    found = reprotect(context, "last", acknowledge=False, full_baseline=False)
    with opened(found.case, context) as binder:
        plan = prepare(found.case, binder)
        refuse_blockers(plan)
        approval = Approval("yes", context.actor, "crash test")
        audience = Audience(People(False, context.actor, {}), Stop())
        ended = start(context, found.case, found.files, binder, plan, approval, audience)
    return int(ended.exit_code)


def go_on_with_last(context: Context, answers: str | None = None) -> int:
    with resuming(context, "last", accept_changes=False) as resumption:
        for row in resumption.reality.table:
            print(row)
        assert not resumption.consent, resumption.consent
        audience = watching(context, answers, resumption.case)
        return int(go_on(resumption, context.actor, "crash test", audience).exit_code)


def main() -> int:
    context = replace(system_context(Path(os.environ["DRCTL_HOME"])), journal_file=DyingFile)
    verb, *arguments = sys.argv[3:]
    match verb:
        case "failover" | "drill" | "switchover" | "failback":
            status = begin(context, verb, *arguments)
        case "cleanup" | "rollback":
            status = undo(context, verb)
        case "reprotect":
            status = protect(context)
        case _:
            status = go_on_with_last(context, *arguments)
    print("writes", DyingFile.writes)
    return status


if __name__ == "__main__":
    sys.exit(main())
