"""Journals that tell stories, to the second: what reports are made of and judged by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from drctl.core import events as ev
from drctl.engine.chain import Head, Scan, digest, encode, scan_bytes

NIGHT = datetime(2026, 1, 31, 2, 14, 0, tzinfo=UTC)
"""03:14 in Paris: when the runs of these stories begin."""

OPERATOR = "operator@bastion"
COMMANDER = "commander@bastion"
DIGESTS = {name: (name.encode().hex() * 16)[:64] for name in ("plan", "runbook", "inventory", "older")}

SERVICES = (
    ev.ServiceData(
        name="ris", title="Radiology information system", tier=1, volumes=("ris_db",), checks=("service[ris.api]",),
        objectives=ev.ObjectivesData(rto=5400, rpo=7200),
    ),
    ev.ServiceData(
        name="pacs", title="Image archive", tier=1, volumes=("pacs_vm", "pacs_images"),
        checks=("service[pacs.viewer]", "service[pacs.dicom]"), objectives=ev.ObjectivesData(rto=4200, rpo=3600),
    ),
)  # fmt: skip

VOLUMES = {"ris_db": ("ris", 25), "pacs_vm": ("pacs", 38), "pacs_images": ("pacs", 96)}
"""Volume: its service, and the minutes of data it lacks at the impact."""

VMS = {"ris-db01": "ris", "ris-app01": "ris", "pacs-db01": "pacs", "pacs-app01": "pacs"}


class Story:
    """Writes a journal line by line; ``wait`` moves its clock."""

    def __init__(self, run: str, mode: str, begin: datetime = NIGHT) -> None:
        self.run = run
        self.mode = mode
        self.now = begin
        self._head = Head()
        self._lines: list[bytes] = []

    def wait(self, minutes: float = 0, seconds: float = 0) -> None:
        self.now += timedelta(minutes=minutes, seconds=seconds)

    def tell(self, *events: ev.EventData, actor: str = "engine") -> None:
        for event in events:
            line = encode(self._head, self.now, actor, event.type, event.model_dump(mode="json"))
            self._lines.append(line)
            self._head = Head(self._head.seq + 1, digest(line), self._head.size + len(line) + 1)

    @property
    def text(self) -> bytes:
        return b"\n".join(self._lines) + b"\n"

    def scan(self) -> Scan:
        return scan_bytes(self.text, Path("journal.jsonl"))

    # --- how stories begin and end ------------------------------------------------------------

    def begin(self, *, runbook: str = "runbook", **clocks: tuple[datetime, str]) -> None:
        started = ev.RunStarted(
            run=self.run,
            mode=self.mode,
            runbook=ev.FileData(
                name="pacs-site-loss", title="Loss of the production datacenter", digest=DIGESTS[runbook],
                owner="infrastructure on-call",
            ),
            inventory=ev.FileData(name="teleradiology", digest=DIGESTS["inventory"]),
            source=ev.SiteData(name="paris", title="Production datacenter Paris", timezone="Europe/Paris"),
            target=ev.SiteData(name="lyon", title="Standby datacenter Lyon", timezone="Europe/Paris"),
            objectives=ev.ObjectivesData(rto=14400, rpo=7200, mtpd=28800, clock_starts="declaration"),
            services=SERVICES,
            parameters={"ticket": "INC-0042"},
            contacts={"incident-commander": "On-call head of infrastructure", "network": "On-call network engineer"},
            plan_digest=DIGESTS["plan"],
            tool="0.1.0",
            host="bastion",
            user="operator",
            clock_offset=0.012,
        )  # fmt: skip
        approved = ev.PlanApproved(plan_digest=DIGESTS["plan"], by=OPERATOR, how="typed")
        lock = ev.LockTaken(epoch=1, owner="operator", host="bastion", pid=4711)
        self.tell(started, lock, approved, actor=OPERATOR)
        for clock, (instant, source) in clocks.items():
            name: Any = clock.replace("_", "-")
            how: Any = source
            self.tell(ev.ClockSet(clock=name, instant=instant, source=how), actor=OPERATOR)

    def plan(self) -> None:
        """The runbook's steps: a gate, fences, storage, compute, traffic, checks."""
        for step in planned():
            self.tell(step, actor=OPERATOR)

    def state_loss(self, impact: datetime) -> None:
        self.tell(ev.LossStated(losses=tuple(losses(impact))), actor=OPERATOR)

    def end(self, outcome: Any, code: int, **counts: int) -> None:
        self.tell(ev.RunFinished(outcome=outcome, exit=code, counts=counts))

    # --- how steps go -------------------------------------------------------------------------

    def precheck(self, step: str, level: Any, summary: str, **more: Any) -> None:
        known: Mapping[str, Any] = {"kind": "probe", "verdict": "observes", "title": step, **more}
        self.tell(ev.StepPlanned(step=step, phase="Prechecks", precheck=True, **known))
        self.observe(step, summary, level=level)

    def start(self, step: str, summary: str = "", **more: Any) -> None:
        self.tell(
            ev.StepStarted(step=step, change=ev.ChangeData(summary=summary or f"change {step}", **more))
        )

    def finish(self, step: str, how: Any = "applied", **outputs: Any) -> None:
        self.tell(ev.StepFinished(step=step, how=how, outputs=outputs))

    def do(self, step: str, summary: str = "", seconds: float = 20, **outputs: Any) -> None:
        self.start(step, summary)
        self.wait(seconds=seconds)
        self.finish(step, **outputs)

    def observe(self, step: str, summary: str, *, level: Any = "ok", finish: bool = True) -> None:
        self.tell(ev.Observed(step=step, finding=ev.FindingData(level=level, summary=summary)))
        if finish:
            self.tell(ev.StepFinished(step=step, how="observed", summary=summary))

    def fail(
        self, step: str, summary: str, *, tolerated: bool = False, unreachable: bool = False, hint: str = ""
    ) -> None:
        problem = ev.ProblemData(code="step", summary=summary, hint=hint)
        self.tell(ev.StepFailed(step=step, problem=problem, tolerated=tolerated, unreachable=unreachable))

    def ask(
        self, step: str, ask: str, role: str, minutes: float, *, go: bool = True, reason: str = ""
    ) -> None:
        self.tell(ev.GateOpened(step=step, ask=ask, role=role, deadline=self.now + timedelta(minutes=30)))
        self.wait(minutes)
        answer: Any = "go" if go else "no-go"
        self.tell(ev.GateAnswered(step=step, answer=answer, by=COMMANDER, reason=reason), actor=COMMANDER)
        if go:
            self.finish(step, "answered")

    def manual(self, step: str, do: str, role: str, minutes: float, evidence: str) -> None:
        self.tell(ev.ManualOpened(step=step, do=do, role=role, evidence="Ticket number"))
        self.wait(minutes)
        self.tell(ev.ManualRecorded(step=step, result="done", by=OPERATOR, evidence=evidence), actor=OPERATOR)
        self.finish(step, "answered")

    def note(self, text: str, kind: Any = "note", at: datetime | None = None, **more: Any) -> None:
        self.tell(ev.Note(text=text, kind=kind, by=OPERATOR, instant=at, **more), actor=OPERATOR)


def planned() -> Iterator[ev.StepPlanned]:
    """The steps of the stories, in their order."""
    yield _step("go", "Decide", kind="gate", verdict="asks")
    for vm, service in VMS.items():
        yield _step(f"stop-source[{vm}]", "Fence", service=service, action="vsphere.vm.power_off", endpoint="vc-paris",
                    site="paris", needs=("go",), on_error="continue", reversibility="reversible")  # fmt: skip
    fences = tuple(f"stop-source[{vm}]" for vm in VMS)
    for volume, (service, _) in VOLUMES.items():
        yield _step(f"promote[{volume}].break", "Storage", service=service, item=volume, action="ontap.snapmirror.break",
                    endpoint="ontap-lyon", site="lyon", needs=fences, reversibility="compensable")  # fmt: skip
        yield _step(f"promote[{volume}].mount", "Storage", service=service, action="ontap.volume.mount",
                    endpoint="ontap-lyon", site="lyon", needs=(f"promote[{volume}].break",), reversibility="reversible")  # fmt: skip
    mounts = tuple(f"promote[{volume}].mount" for volume in VOLUMES)
    for vm, service in VMS.items():
        yield _step(f"vm[{vm}].register", "Compute", service=service, action="vsphere.vm.register", endpoint="vc-lyon",
                    site="lyon", needs=mounts, reversibility="reversible")  # fmt: skip
        yield _step(f"vm[{vm}].power", "Compute", service=service, action="vsphere.vm.power_on", endpoint="vc-lyon",
                    site="lyon", needs=(f"vm[{vm}].register",), reversibility="reversible")  # fmt: skip
    powers = tuple(f"vm[{vm}].power" for vm in VMS)
    for service in ("ris", "pacs"):
        yield _step(f"dns[{service}]", "Traffic", service=service, action="dns.record.set", endpoint="dns-public",
                    site="lyon", needs=powers, reversibility="reversible")  # fmt: skip
    yield _step("vpn", "Traffic", kind="manual", needs=powers)
    traffic = ("dns[ris]", "dns[pacs]", "vpn")
    for check, service in (("ris.api", "ris"), ("pacs.viewer", "pacs"), ("pacs.dicom", "pacs")):
        yield _step(
            f"service[{check}]", "Validate", kind="probe", service=service, action="check.http", needs=traffic
        )
    yield _step("radiologist", "Validate", kind="manual", service="pacs", confirms="pacs",
                needs=("service[pacs.viewer]",), title="A radiologist opens a study of today")  # fmt: skip


def _step(step: str, phase: str, **more: Any) -> ev.StepPlanned:
    known: Mapping[str, Any] = {"kind": "action", "verdict": "will", "title": step, **more}
    return ev.StepPlanned(step=step, phase=phase, **known)


def losses(impact: datetime) -> Iterator[ev.LossData]:
    for volume, (service, minutes) in VOLUMES.items():
        yield ev.LossData(
            volume=f"svm_dr:{volume}_dr", snapshot=f"snapmirror.{volume}.2026-01-31_0{minutes % 10}",
            recovery_point=impact - timedelta(minutes=minutes), incident=impact, seconds=minutes * 60,
            clock_skew=0.4, service=service, step=f"promote[{volume}].break",
        )  # fmt: skip


def failover() -> Story:
    """A night: a lost site, a decision, a mirror that needs force, a VM that fails, a change of hands, all answers."""
    story = Story("20260131-021400-failover-4c1d", "failover")
    impact = NIGHT - timedelta(minutes=26)
    story.begin(
        impact=(impact, "given"),
        detection=(NIGHT - timedelta(minutes=19), "given"),
        declaration=(NIGHT - timedelta(minutes=4), "given"),
    )
    story.precheck(
        "array-access[ontap-lyon]", "ok", "cluster ontap-lyon accepts the credentials; clocks agree"
    )
    story.precheck(
        "lag[pacs_images]",
        "warning",
        "svm_dr:pacs_images_dr is 1 h 36 min behind; at most 1 h 00 min is wished",
    )
    story.plan()
    story.state_loss(impact)
    story.wait(seconds=5)
    story.ask("go", "Production datacenter Paris is lost and Standby datacenter Lyon takes over. Go?",
              "incident-commander", 6.5, reason="Crisis cell 03:20: the fire brigade keeps the building")  # fmt: skip
    _storage(story, impact)
    _compute(story)
    _traffic(story)
    story.end("completed_with_exceptions", 8, succeeded=20, failed=4)
    _hindsight(story)
    return story


def _storage(story: Story, impact: datetime) -> None:
    for vm in VMS:
        story.start(f"stop-source[{vm}]", f"power off {vm}")
    story.wait(1)
    for vm in VMS:
        story.fail(f"stop-source[{vm}]", "vc-paris does not answer: timed out after 60 s", tolerated=True, unreachable=True,
                   hint="Keep the old site's uplinks down before power returns")  # fmt: skip
    for number, (volume, (_, minutes)) in enumerate(VOLUMES.items()):
        step = f"promote[{volume}].break"
        loss = next(each for each in losses(impact) if each.step == step)
        story.start(step, f"break svm_dr:{volume}_dr from svm_prod:{volume}", loss=loss)
        story.wait(seconds=40)
        if number == 1:
            story.tell(ev.StepRetried(step=step, attempt=1, delay=10,
                                      problem=ev.ProblemData(code="busy", summary="the mirror is transferring")))  # fmt: skip
            story.wait(seconds=30)
            story.tell(
                ev.StepProgress(
                    step=step, message="breaking by force: the transfer cannot end", override=True
                )
            )
            story.wait(seconds=20)
        story.finish(
            step, recovery_point=(impact - timedelta(minutes=minutes)).isoformat(), volume=f"{volume}_dr"
        )
        story.do(f"promote[{volume}].mount", f"mount svm_dr:{volume}_dr at /{volume}", 8)


def _compute(story: Story) -> None:
    for vm in VMS:
        story.do(f"vm[{vm}].register", f"register {vm} from its .vmx", 12)
        if vm == "pacs-app01":
            break
        story.do(f"vm[{vm}].power", f"power on {vm}", 65)
    story.start("vm[pacs-app01].power", "power on pacs-app01")
    story.wait(seconds=35)
    story.fail(
        "vm[pacs-app01].power", "no host of cluster dr has 64 GiB free", hint="Free memory, then drctl retry"
    )
    story.tell(ev.RunPaused(why="failed", steps=("vm[pacs-app01].power",), summary="1 step failed", exit=1))
    story.wait(7)
    story.note("Two test VMs of the standby cluster are off to make room", "decision")
    story.tell(
        ev.LockTaken(epoch=2, owner="relief", host="bastion", pid=5120, took_over_from="operator"),
        actor="relief@bastion",
    )
    story.tell(ev.RunResumed(by="relief@bastion", reason="memory freed"), actor="relief@bastion")
    story.do("vm[pacs-app01].power", "power on pacs-app01", 70)


def _traffic(story: Story) -> None:
    story.tell(ev.ManualOpened(step="vpn", do="Ask the carrier to move the hospitals' IPsec tunnels to Standby datacenter Lyon.",
                               role="network", evidence="Ticket number"))  # fmt: skip
    story.do("dns[ris]", "ris.teleradio.example. A: 192.0.2.11 → 198.51.100.11, TTL 60 s", 4)
    story.do("dns[pacs]", "pacs.teleradio.example. A: 192.0.2.12 → 198.51.100.12, TTL 60 s", 4)
    story.wait(11)
    story.note("Carrier confirms: 298 of 300 tunnels are up", "communication")
    story.wait(3)
    story.tell(ev.ManualRecorded(step="vpn", result="done", by=OPERATOR, evidence="CHG-1204"), actor=OPERATOR)
    story.finish("vpn", "answered")
    story.observe("service[ris.api]", "https://ris.teleradio.example/health: status 200 in 0.095 s")
    story.observe("service[pacs.viewer]", "status 503", level="blocker", finish=False)
    story.observe("service[pacs.dicom]", "pacs.teleradio.example:11112 opens in 0.005 s")
    story.wait(4, 30)
    story.observe("service[pacs.viewer]", "https://pacs.teleradio.example/health: status 200 in 0.12 s")
    story.manual(
        "radiologist", "Open a study of today in the viewer.", "radiologist", 5, "Study of 02:31 opened"
    )


def _hindsight(story: Story) -> None:
    story.wait(600)
    story.note("severity: major, level 1 of 3")
    story.note("sites: two hospitals without tunnels until 06:10")
    story.note("exams: 41 exams delayed, 3 patients sent elsewhere")
    story.note(
        "Two emergency departments worked on local caches from 03:00 to 04:35",
        "impact",
        NIGHT - timedelta(minutes=14),
    )
    story.note("Battery fire in the production datacenter", "cause")
    story.note("The standby cluster had no memory in reserve", "finding")
    story.note("bien: the drill of November had exercised every storage step")
    story.note("luck: the last image transfer had ended before the fire")
    story.note("Test VMs belong in a resource pool that may be emptied", "lesson")
    story.note(
        "Reserve memory on the standby cluster", "action", owner="virtualisation team", due=date(2026, 2, 28)
    )
    story.note("Ask the carrier for automatic tunnel failover", "action")


def drill() -> Story:
    """A drill in the bubble: traffic and fences are not exercised, and the notes are in French."""
    story = Story("20251114-130000-drill-77aa", "drill", datetime(2025, 11, 14, 13, 0, tzinfo=UTC))
    begin = story.now
    story.begin(impact=(begin, "assumed"), declaration=(begin, "assumed"))
    story.precheck(
        "array-access[ontap-lyon]", "ok", "cluster ontap-lyon accepts the credentials; clocks agree"
    )
    story.precheck(
        "bubble[ontap-lyon]", "ok", "nothing of a drill is left on svm_dr", action="ontap.bubble.empty"
    )
    story.plan()
    story.note("périmètre: PACS et RIS, quatre machines virtuelles")
    story.note("scénario: perte électrique totale du site de Paris un vendredi à 14 h")
    story.note("objectifs: rendre le PACS dans la bulle en moins de 45 minutes")
    story.note("critères: visionneuse et réception DICOM répondent")
    story.ask(
        "go",
        "Production datacenter Paris is lost and Standby datacenter Lyon takes over. Go?",
        "incident-commander",
        2,
    )
    for vm in VMS:
        story.tell(ev.StepNotExercised(step=f"stop-source[{vm}]", reason="a drill leaves the source alone"))
    for volume, (_, minutes) in VOLUMES.items():
        story.do(f"promote[{volume}].break", f"clone svm_dr:{volume}_dr as {volume}_dr_drill", 15,
                 recovery_point=(begin - timedelta(minutes=minutes)).isoformat())  # fmt: skip
        story.do(f"promote[{volume}].mount", f"mount {volume}_dr_drill at /drill_{volume}", 6)
    for vm in VMS:
        story.do(f"vm[{vm}].register", f"register {vm}-drill", 10)
        story.do(f"vm[{vm}].power", f"power on {vm}-drill", 50)
    for service in ("ris", "pacs"):
        story.tell(ev.StepNotExercised(step=f"dns[{service}]", reason="the bubble has no zone of its own"))
    story.manual(
        "vpn", "Drill, do not carry it out; read it out: Ask the carrier to move the hospitals' IPsec tunnels.", "network", 6,
        "CHG-EX-12",
    )  # fmt: skip
    story.observe("service[ris.api]", "http://192.0.2.50/health by edge-bubble-lyon: status 200")
    story.observe("service[pacs.viewer]", "http://192.0.2.51/health by edge-bubble-lyon: status 200")
    story.tell(
        ev.StepNotExercised(step="service[pacs.dicom]", reason="no way into the bubble for port 11112")
    )
    story.tell(ev.StepNotExercised(step="radiologist", reason="no radiologist takes part"))
    story.end("completed", 0, succeeded=19)
    story.wait(30)
    story.note("Le registre des VM du site de secours n'était pas à jour", "finding")
    story.note("Mettre l'inventaire à jour", "action", owner="équipe virtualisation", due=date(2025, 12, 15))
    return story


def aborted() -> Story:
    """A run that was ended for good: a mirror would not break, and the source came back."""
    story = Story("20260214-080000-failover-0b0b", "failover", datetime(2026, 2, 14, 8, 0, tzinfo=UTC))
    begin = story.now
    story.begin(impact=(begin - timedelta(minutes=10), "asked"), declaration=(begin, "assumed"))
    story.plan()
    story.state_loss(begin - timedelta(minutes=10))
    story.ask(
        "go",
        "Production datacenter Paris is lost and Standby datacenter Lyon takes over. Go?",
        "incident-commander",
        3,
    )
    for vm in VMS:
        story.start(f"stop-source[{vm}]", f"power off {vm}")
        story.wait(seconds=2)
        story.finish(f"stop-source[{vm}]", "unchanged" if vm == "ris-db01" else "applied")
    story.start("promote[ris_db].break", "break svm_dr:ris_db_dr from svm_prod:ris_db")
    story.wait(2)
    problem = ev.ProblemData(code="lost-reply", summary="ontap-lyon did not answer: whether the mirror is broken is unknown",
                             hint="drctl resume reads it again")  # fmt: skip
    story.tell(ev.StepIndeterminate(step="promote[ris_db].break", problem=problem))
    story.tell(ev.RunPaused(why="indeterminate", steps=("promote[ris_db].break",), exit=7))
    story.wait(9)
    story.tell(ev.AbortRequested(by=COMMANDER, reason="Paris has power again"), actor=COMMANDER)
    story.end("aborted", 1, succeeded=5, indeterminate=1)
    return story


def crashed() -> Story:
    """A run whose engine was killed in the middle, taken up again, with a step found done."""
    story = Story("20260301-221500-failover-9f9f", "failover", datetime(2026, 3, 1, 22, 15, tzinfo=UTC))
    begin = story.now
    impact = begin - timedelta(minutes=12)
    story.begin(impact=(impact, "given"), declaration=(begin, "given"))
    story.plan()
    story.state_loss(impact)
    story.ask(
        "go",
        "Production datacenter Paris is lost and Standby datacenter Lyon takes over. Go?",
        "incident-commander",
        1,
    )
    for vm in VMS:
        story.do(f"stop-source[{vm}]", f"power off {vm}", 3)
    for volume in ("ris_db", "pacs_vm"):
        story.do(f"promote[{volume}].break", f"break svm_dr:{volume}_dr", 30)
        story.do(f"promote[{volume}].mount", f"mount svm_dr:{volume}_dr at /{volume}", 6)
    story.start("promote[pacs_images].break", "break svm_dr:pacs_images_dr")
    story.wait(5)
    story.tell(ev.LockTaken(epoch=2, owner="operator", host="bastion", pid=4999), actor=OPERATOR)
    story.tell(ev.RunResumed(by=OPERATOR, torn_tail=True, table=(
        ev.Reconciled(step="promote[pacs_images].break", journal="started", reality="broken", will="adopt"),)), actor=OPERATOR)  # fmt: skip
    story.finish("promote[pacs_images].break", "adopted")
    story.do("promote[pacs_images].mount", "mount svm_dr:pacs_images_dr at /pacs_images", 6)
    for vm in VMS:
        story.do(f"vm[{vm}].register", f"register {vm}", 8)
        story.do(f"vm[{vm}].power", f"power on {vm}", 40)
    story.do("dns[ris]", "ris.teleradio.example. A: 192.0.2.11 → 198.51.100.11", 3)
    story.do("dns[pacs]", "pacs.teleradio.example. A: 192.0.2.12 → 198.51.100.12", 3)
    story.manual("vpn", "Ask the carrier to move the hospitals' IPsec tunnels.", "network", 12, "CHG-1300")
    for check in ("ris.api", "pacs.viewer", "pacs.dicom"):
        story.observe(f"service[{check}]", f"{check} answers")
    story.tell(
        ev.SkipRequested(step="radiologist", by=OPERATOR, reason="nobody on duty before 07:00"),
        actor=OPERATOR,
    )
    story.end("completed_with_exceptions", 8, succeeded=23, skipped=1)
    return story


STORIES = {"failover": failover, "drill": drill, "aborted": aborted, "crashed": crashed}


def large(steps: int) -> Story:
    """A failover of thousands of VMs, for measuring."""
    story = Story("20260401-000000-failover-b16b", "failover", datetime(2026, 4, 1, tzinfo=UTC))
    begin = story.now
    story.begin(impact=(begin, "given"), declaration=(begin, "given"))
    names = [
        f"vm[host-{number:05d}].{what}"
        for number in range(steps // 4)
        for what in ("register", "network", "power", "address")
    ]
    for at, name in enumerate(names):
        needs = (names[at - 1],) if at % 4 else ()
        story.tell(_step(name, f"Compute {at * 8 // len(names) + 1}", service="pacs", action="vsphere.vm.power_on",
                         endpoint="vc-lyon", site="lyon", needs=needs, summary=f"change {name}"))  # fmt: skip
    for name in names:
        story.start(name)
        story.wait(seconds=1)
        story.finish(name)
    story.end("completed", 0, succeeded=len(names))
    return story
