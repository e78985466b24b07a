"""What somebody asks who has nothing but the report: what happened, when, who decided, what was lost, not tested, left open."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from report_journals import COMMANDER, NIGHT, STORIES, VMS, Story, aborted, crashed, drill, failover

from drctl.app.report import prepare
from drctl.core import events as ev
from drctl.report.speech import CATALOGUES

EVERY = [(story, language) for story in sorted(STORIES) for language in ("en", "fr")]


class Paper:
    """A report in Markdown, by the keys of its sections; nothing else is known to who reads it."""

    def __init__(self, story, language):
        reported = prepare(story.scan())
        self.words = CATALOGUES[language]
        self.text = reported.render("md", language).decode()
        head, *parts = re.split(r"\n## \d+\. ", self.text)
        titles = {self.words[section.key]: section.key for section in reported.document.sections}
        self.head = head
        self.sections = {titles[part.partition("\n")[0]]: part for part in parts}

    def section(self, name):
        return self.sections[f"section.{name}"]

    def summary(self):
        return self.section("summary")


def events(story, *kinds):
    return [record for record in story.scan().records if isinstance(record.event, kinds)]


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_what_happened_and_how_it_ended(name, language):
    story = STORIES[name]()
    paper = Paper(story, language)
    (ended,) = events(story, ev.RunFinished)
    for place in (paper.head, paper.summary()):
        assert paper.words[f"mode.{story.mode}"] in place
        assert "Production datacenter Paris" in place
        assert paper.words[f"state.{ended.event.outcome}"] in place


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_when_in_the_sites_time_and_utc(name, language):
    story = STORIES[name]()
    paper = Paper(story, language)
    began = story.scan().records[0].at
    day = {"en": f"{began:%Y-%m-%d}", "fr": f"{began:%d/%m/%Y}"}[language]
    full = re.compile(rf"{day} \d\d:\d\d:\d\d CET \({began:%H:%M:%S} UTC\)")
    assert full.search(paper.head)
    assert full.search(paper.summary())
    assert "Europe/Paris" in paper.head


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_who_decided_what(name, language):
    story = STORIES[name]()
    register = Paper(story, language).section("decisions")
    decided = events(
        story, ev.PlanApproved, ev.GateAnswered, ev.ManualRecorded, ev.SkipRequested, ev.AbortRequested, ev.RunResumed
    )  # fmt: skip
    assert decided
    for record in decided:
        assert re.search(
            rf"\| {re.escape(record.event.by)} \|.*\| {record.seq + 1} \|$", register, re.MULTILINE
        )


def test_who_gave_the_go_stands_beside_the_times():
    times = Paper(failover(), "en").section("times")
    assert re.search(rf"\| Decision \|.*{COMMANDER}", times)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_was_lost(language):
    lost = {"en": "1 h 36 min", "fr": "1 h 36 min"}[language]
    for story in (failover(), crashed()):
        paper = Paper(story, language)
        assert lost in paper.summary()
        assert re.search(rf"pacs_images_dr.*{lost}", paper.section("impact"))


def test_a_drill_says_what_a_failover_would_have_lost():
    """No loss is stated before a drill; the recovery points that it cloned tell it."""
    story = drill()
    assert events(story, ev.LossStated) == []
    paper = Paper(story, "en")
    assert "A failover at that time would have lost up to 1 h 36 min (pacs_images)" in paper.summary()
    assert re.search(r"\| Image archive \| RPO \|.*1 h 36 min.*\*\*missed\*\*", paper.section("objectives"))


def test_a_loss_whose_step_has_no_proven_end_is_not_asserted():
    paper = Paper(aborted(), "en")
    assert "Whether up to 25 min 00 s of data written before the incident was given up is not known" in (
        paper.summary()
    )
    assert "are lost" not in paper.summary()
    assert "was broken is not known" in paper.section("exposure")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_was_not_tested_and_why(language):
    story = drill()
    steps = Paper(story, language).section("steps")
    idle = events(story, ev.StepNotExercised)
    assert len(idle) == 8
    for record in idle:
        row = re.search(rf"^\| `{re.escape(record.event.step)}`.*$", steps, re.MULTILINE)[0]
        assert CATALOGUES[language]["coverage.none"] in row
        assert record.event.reason in row
    read = re.search(r"^\| `vpn`.*$", steps, re.MULTILINE)[0]
    assert CATALOGUES[language]["coverage.none"] in read
    assert CATALOGUES[language]["coverage.read-out"] in read


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_was_never_begun_is_neither_done_nor_in_doubt(language):
    paper = Paper(aborted(), language)
    counted = {
        "en": "in doubt, failed or skipped: 1; never begun: 20",
        "fr": "ou omises\N{NO-BREAK SPACE}: 1\N{NO-BREAK SPACE}; jamais commencées\N{NO-BREAK SPACE}: 20",
    }[language]
    assert counted in paper.summary()
    doubts = re.findall(r"^- `(.*?)`", paper.section("exposure"), re.MULTILINE)
    assert doubts == ["promote[ris_db].break"]


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_what_is_still_open(name, language):
    story = STORIES[name]()
    paper = Paper(story, language)
    facts = prepare(story.scan()).facts
    marked = paper.text.count(f"***{paper.words['open']}***")
    assert marked >= len(facts.gaps)
    assert marked > 0
    for action in facts.actions:
        assert f"`{action.id}`" in paper.section("actions")
    (ended,) = events(story, ev.RunFinished)
    if ended.event.outcome != "completed":
        assert re.search(r"^- `", paper.section("exposure"), re.MULTILINE)


# --- what the journal does not prove is not said -----------------------------------------------


def test_a_question_left_open_when_the_run_ended_is_not_answered():
    story = Story("20260214-080000-failover-0c0c", "failover")
    story.begin(impact=(story.now, "assumed"), declaration=(story.now, "assumed"))
    story.plan()
    story.tell(ev.GateOpened(step="go", ask="Go?", role="incident-commander"))
    story.tell(ev.AbortRequested(by=COMMANDER, reason="false alarm"), actor=COMMANDER)
    story.end("aborted", 1)
    paper = Paper(story, "en")
    assert re.search(r"`go` .*\*\*not answered\*\*", paper.section("steps"))
    assert "No data was given up." in paper.summary()
    assert "in doubt, failed or skipped: 0; never begun: 26" in paper.summary()
    assert "broke no replication" in paper.section("exposure")
    assert "still protects" not in paper.text
    assert "not answering" not in paper.text
    assert re.search(r"Impact \|.*\*\*assumed", paper.section("times"))


def test_a_mirror_broken_without_loss_is_broken_all_the_same():
    """A planned move states no loss: every byte was transferred before."""
    story = Story("20260214-080000-switchover-0d0d", "switchover")
    story.begin(impact=(story.now, "given"), declaration=(story.now, "given"))
    story.plan()
    story.do("promote[ris_db].break", "break svm_dr:ris_db_dr")
    assert "was broken. No later reprotect" in Paper(story, "en").section("exposure")


def test_what_failed_before_it_began_is_drawn_and_said_once():
    """A dead vCenter refuses a step before its first change: it has no beginning, and yet took part."""
    story = Story("20260214-080000-failover-0e0e", "failover")
    story.begin(impact=(story.now, "given"), declaration=(story.now, "given"))
    story.plan()
    story.wait(seconds=30)
    for vm in VMS:
        story.fail(f"stop-source[{vm}]", "vc-paris cannot be reached", tolerated=True, unreachable=True)
    paper = Paper(story, "en")
    assert "section Fence" in paper.section("picture")
    rows = [line for line in paper.section("deviations").splitlines() if "unreachable" in line]
    assert len(rows) == 1
    assert "`stop-source[…]` (4 steps)" in rows[0]


def test_a_clock_of_another_day_says_its_day():
    story = failover()
    scan = story.scan()
    later = [
        record.__class__(record.seq, record.at + timedelta(days=1 if record.at > NIGHT + timedelta(minutes=20) else 0),
                         record.actor, record.event)
        for record in scan.records
    ]  # fmt: skip
    text = prepare(scan.__class__(tuple(later), scan.head, scan.torn)).render("md", "fr").decode()
    assert re.search(r"`vpn`.*\| 01/02/2026 03:\d\d:\d\d \|", text)
    assert re.search(r"`go`.*\| 03:14:05 \|", text)


@pytest.mark.parametrize("mode", ["cleanup", "rollback", "reprotect"])
def test_a_run_that_follows_from_another_is_told_as_what_it_is(mode):
    """Nobody is served by a cleanup, and its incident is told in the report of the run before."""
    story = Story(f"20260214-080000-{mode}-0f0f", mode)
    story.begin()
    story.tell(ev.StepPlanned(step="undo.a", title="undo a", phase="Undo", kind="action", verdict="will"))
    story.do("undo.a")
    story.end("completed", 0)
    reported = prepare(story.scan())
    assert reported.facts.gaps == ()
    assert reported.facts.services == ()
    text = reported.render("md", "en").decode()
    assert text.startswith(f"# Report of a run ({mode}): ")
    assert "to be completed***" not in text
    assert "RTO met" not in text


def test_blank_cells_are_for_people_to_fill_in():
    signing = Paper(drill(), "fr").section("next")
    assert "| RSSI, direction |  |  |  |" in signing
