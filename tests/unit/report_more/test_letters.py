"""Texts for others: only what the journal proves, what is not known, no promise, on one page."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from story import START, Story

from drctl.core import events as ev
from drctl.core.problem import DrctlError
from drctl.core.run import Run
from drctl.report.forecast import foresee, learn
from drctl.report.letter import SHIPPED, Letters
from drctl.report.situation import Moment, situation

AUDIENCES = ("radiologists", "management", "authority")
LANGUAGES = ("en", "fr")

PROMISE = re.compile(
    r"\b(will be (back|restored|working)|we (will|shall)|guarantee|promise|nous (allons|garantissons)|sera rétabli|"
    r"garanti|promet)",
    re.IGNORECASE,
)
UNKNOWN = {"en": ("not known", "not stated"), "fr": ("pas connu", "non connu", "non indiqué")}


def lose(story, *, point=50):
    at = story.clock.at
    loss = ev.LossData(
        volume="svm:pacs", snapshot="hourly.1", recovery_point=at - timedelta(minutes=point),
        incident=at - timedelta(minutes=20), seconds=(point - 20) * 60, service="pacs", step="break[pacs]",
    )  # fmt: skip
    return story.tell(ev.LossStated(losses=(loss,)))


def stopped(home, **fields):
    """A run that lost data, failed at the boot and paused."""
    story = lose(Story(home, "20260131-031200-failover-1f0c", **fields)).open().answer()
    story.start("break[pacs]").start("break[ris]").finish("break[ris]", after=40)
    story.finish("break[pacs]", after=20).start("boot").fail("boot", after=5)
    return story.tell(ev.RunPaused(why="failed", steps=("boot",), exit=1))


def facts_at(story, *, alive=False, past=None, later=0.0, commands=()):
    now = story.clock.at + timedelta(seconds=later)
    forecast = foresee(Run.of(story.records), past, now) if past else None
    return situation(story.records, Moment(now, alive, "a" * 64, forecast, commands))


@pytest.fixture
def stories(tmp_path):
    """Runs in every state, by name."""
    homes = iter(tmp_path / str(number) for number in range(20))
    fresh = Story(next(homes), "fresh")
    waiting = lose(Story(next(homes), "waiting")).open()
    running = Story(next(homes), "running").open().answer().start("break[pacs]")
    aborted = Story(next(homes), "aborted").open()
    aborted.tell(ev.AbortRequested(by="duty", reason="false alarm")).end("aborted")
    crashed = Story(next(homes), "crashed").open().answer().start("boot")
    crashed.tell(ev.LockTaken(epoch=2, owner="o", host="h", pid=2))
    doubtful = Story(next(homes), "doubtful").open().answer().start("boot")
    problem = ev.ProblemData(code="timeout", summary="no answer in 60 s")
    doubtful.tell(ev.StepIndeterminate(step="boot", problem=problem))
    doubtful.note("Fire in room 2", "cause").note("No reading at two sites", "impact")
    done = lose(Story(next(homes), "done")).whole()
    drill = lose(Story(next(homes), "drill", mode="drill")).whole()
    named = {"fresh": fresh, "waiting": waiting, "running": running, "aborted": aborted, "crashed": crashed}
    return named | {"doubtful": doubtful, "done": done, "drill": drill, "stopped": stopped(next(homes))}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", [*(f"{name}.txt" for name in AUDIENCES), "handover.md"])
def test_every_state_has_a_text_without_promise_or_hole(stories, language, template):
    for name, story in stories.items():
        text = Letters(language).write(template, facts_at(story, later=60))
        assert not PROMISE.search(text), name
        assert not re.search(r"\bNone\b|\{[{%]|\n\n\n| \n", text), (name, text)
        if template != "handover.md":
            assert any(word in text for word in UNKNOWN[language]), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drill_says_first_that_it_is_one_and_loses_nothing(stories, language):
    facts = facts_at(stories["drill"])
    for audience in AUDIENCES:
        first = Letters(language).write(f"{audience}.txt", facts).splitlines()[0]
        assert first.startswith(("THIS IS AN EXERCISE", "CECI EST UN EXERCICE"))
    assert facts["lost"]["happened"] is False


def test_radiologists_read_what_works_and_what_may_be_missing(stories):
    text = Letters("en").write("radiologists.txt", facts_at(stories["done"]))
    assert "Checked and working at Lyon:\n- PACS, confirmed at 04:18" in text
    assert "- PACS: after 03:22, 30 min before the incident" in text
    assert "Not confirmed" not in text
    before = Letters("en").write("radiologists.txt", facts_at(stories["waiting"]))
    assert "Nothing has been given up so far" in before
    assert "Not confirmed as working:\n- PACS" in before


def test_management_reads_who_decided_and_who_is_waited_for(stories):
    letters = Letters("en")
    assert "go (go) by duty@bastion: carrier confirms" in letters.write(
        "management.txt", facts_at(stories["done"])
    )
    waiting = letters.write("management.txt", facts_at(stories["waiting"], alive=True))
    assert "waits for a decision" in waiting
    assert "- Duty manager, since 04:12: Paris is lost. Go?" in waiting
    doubt = letters.write("management.txt", facts_at(stories["doubtful"]))
    assert "whether these steps took effect: boot" in doubt
    assert "- the cause" not in doubt
    assert "No reading at two sites" in doubt


def test_an_estimate_is_called_one_and_goes_to_the_management_alone(stories, tmp_path):
    past = learn([Story(tmp_path / "past", "past").whole().records])
    facts = facts_at(stories["running"], alive=True, past=past)
    assert "commits nobody" in Letters("en").write("management.txt", facts)
    for audience in ("radiologists", "authority"):
        with_it = Letters("en").write(f"{audience}.txt", facts)
        assert with_it == Letters("en").write(f"{audience}.txt", facts | {"forecast": None})


def test_assumed_instants_are_not_stated(tmp_path):
    story = Story(tmp_path, "a")
    for clock in ("impact", "declaration"):
        story.tell(ev.ClockSet(clock=clock, instant=START, source="assumed"))
    text = Letters("en").write("authority.txt", facts_at(story))
    assert "Beginning of the interruption: not stated" in text
    assert "Declaration: not stated" in text


def test_instants_of_other_days_carry_their_date(stories):
    facts = facts_at(stories["stopped"], later=86400)
    assert "begun on 31 Jan at 04:12" in Letters("en").write("handover.md", facts)
    assert "débutée le 31/01 à 04:12" in Letters("fr").write("handover.md", facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_handover_says_what_the_next_one_needs(stories, language):
    text = Letters(language).write(
        "handover.md", facts_at(stories["stopped"], commands=("drctl retry RUN boot",))
    )
    assert "`boot`" in text
    assert "carrier confirms" in text
    assert "    drctl retry RUN boot" in text
    assert "PACS" in text


def test_a_crashed_step_is_in_doubt(stories):
    facts = facts_at(stories["crashed"])
    assert [step["id"] for step in facts["indeterminate"]] == ["boot"]
    assert facts["state"] == "interrupted"
    assert "IN DOUBT `boot`: begun, its end was not written down" in Letters("en").write("handover.md", facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_handover_of_a_huge_run_stays_one_page(tmp_path, language):
    many = [
        {"step": f"{kind}{n}", "kind": kind, "phase": "P", "verdict": "will"}
        for kind in ("gate", "action") for n in range(200)
    ]  # fmt: skip
    story = lose(Story(tmp_path, "huge", steps=tuple(many)))
    text = "a very long text " * 40
    for n in range(100):
        story.tell(ev.GateOpened(step=f"gate{n}", ask=text, role="commander"))
        story.tell(ev.SkipRequested(step=f"action{n + 100}", by="duty", reason=text))
    for n in range(40):
        story.start(f"action{n}")
        problem = ev.ProblemData(code="x", summary=text)
        story.tell(ev.StepIndeterminate(step=f"action{n + 40}", problem=problem)).fail(f"action{n + 80}")
    past = learn([Story(tmp_path, "past").whole().records])
    page = Letters(language).write("handover.md", facts_at(story, past=past, commands=("drctl x",) * 50))
    assert len(page.splitlines()) <= 80
    assert max(map(len, page.splitlines())) < 300


def test_a_team_overrides_one_text_and_keeps_the_others(tmp_path, stories):
    (tmp_path / "own" / "fr").mkdir(parents=True)
    (tmp_path / "own" / "fr" / "radiologists.txt").write_text("Bonjour, {{ title }} à {{ now|at }}.")
    (tmp_path / "own" / "fr" / "biologists.txt").write_text("{{ down|map(attribute='title')|join }}")
    letters = Letters("fr", (tmp_path / "own",))
    facts = facts_at(stories["running"])
    assert letters.write("radiologists.txt", facts) == "Bonjour, Loss of Paris à 04:13.\n"
    assert letters.write("authority.txt", facts) == Letters("fr").write("authority.txt", facts)
    assert letters.names() == ["authority", "biologists", "management", "radiologists"]
    assert letters.write("biologists.txt", facts) == "PACS\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ cause_of_it }}", "'cause_of_it' is undefined"),
        ("line\n{% if %}", r"own.txt:2"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ services.append(1) }}", "unsafe"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ title + 1 }}", "cannot be filled in"),
        ("{% include 'en/nowhere.txt' %}", "there is no template"),
        ("{{ range(10 ** 9) | list }}", "too big"),
    ],
)
def test_a_wrong_template_is_a_problem_and_no_traceback(tmp_path, stories, source, said):
    (tmp_path / "own" / "en").mkdir(parents=True)
    (tmp_path / "own" / "en" / "own.txt").write_text(source)
    with pytest.raises(DrctlError, match=said):
        Letters("en", (tmp_path / "own",)).write("own.txt", facts_at(stories["fresh"]))


def test_both_languages_have_the_same_templates_and_ask_for_the_same_facts():
    names = {language: {path.name for path in (SHIPPED / language).iterdir()} for language in LANGUAGES}
    assert names["en"] == names["fr"] == {"handover.md", *(f"{name}.txt" for name in AUDIENCES)}
    for name in names["en"]:
        uses = [_facts_used(SHIPPED / language / name) for language in LANGUAGES]
        assert uses[0] ^ uses[1] <= {"whys", "modes", "acts", "clocks"}


def _facts_used(path: Path) -> set[str]:
    from jinja2 import Environment, meta  # noqa: PLC0415 - only here

    environment = Environment()
    environment.filters |= dict.fromkeys(("at", "when", "dated", "span", "line"), str)
    return meta.find_undeclared_variables(environment.parse(path.read_text(encoding="utf-8")))


def test_the_documented_facts_are_those_there_are(stories):
    page = (Path(__file__).parents[3] / "docs" / "messages.md").read_text(encoding="utf-8")
    facts = page.partition("## The facts")[2]
    documented = set(re.findall(r"^\| `(\w+)` \|", facts, re.MULTILINE))
    assert documented == set(facts_at(stories["done"]))


def test_steps_alike_are_one_and_overrides_do_not_hide_decisions(tmp_path):
    steps = tuple({"step": f"stop[{n}]", "kind": "action", "phase": "Fence"} for n in range(12))
    story = Story(tmp_path, "a", steps=steps)
    for n in range(12):
        story.start(f"stop[{n}]").tell(ev.StepProgress(step=f"stop[{n}]", message="forced", override=True))
        story.fail(f"stop[{n}]", tolerated=True)
    facts = facts_at(story)
    assert [(step["id"], len(step["ids"])) for step in facts["failed"]] == [("stop[]", 12)]
    assert [decision["what"] for decision in facts["decisions"]] == ["approved"]
    page = Letters("en").write("handover.md", facts)
    assert "- FAILED `stop[]` (12 steps) (tolerated): the array refuses" in page
    assert "- overrides used: stop[0], stop[1]" in page
    assert "12 failed" in Letters("en").write("authority.txt", facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_has_its_date_and_zone(stories, language):
    """They are kept, and read on other days: the hour alone says nothing then."""
    dated = {"en": "31 Jan 2026 at 04:18 CET", "fr": "31/01/2026 à 04:18 CET"}[language]
    facts = facts_at(stories["done"])
    for template in (*(f"{name}.txt" for name in AUDIENCES), "handover.md"):
        assert dated in Letters(language).write(template, facts), template
    authority = Letters(language).write("authority.txt", facts)
    assert not re.search(r"\d\d:\d\d(?! CET)", authority)


def test_french_puts_no_break_before_its_high_marks(stories):
    for template in (*(f"{name}.txt" for name in AUDIENCES), "handover.md"):
        text = (SHIPPED / "fr" / template).read_text(encoding="utf-8")
        assert not re.search(r" [:;?!](\s|$)", text), template


def test_what_a_dead_engine_had_begun_is_in_doubt_and_runs_no_more(stories):
    running = facts_at(stories["running"], alive=True)
    assert [step["id"] for step in running["running"]] == ["break[pacs]"]
    assert running["indeterminate"] == []
    gone = facts_at(stories["running"])
    assert gone["running"] == []
    assert [step["id"] for step in gone["indeterminate"]] == ["break[pacs]"]


def test_a_run_that_ended_before_its_loss_threatens_none(tmp_path):
    story = lose(Story(tmp_path, "a")).open()
    facts = facts_at(story.tell(ev.AbortRequested(by="duty", reason="false alarm")).end("aborted"))
    assert "none given up, the run ended before" in Letters("en").write("management.txt", facts)
    assert "may be missing" not in Letters("en").write("radiologists.txt", facts)
    assert "- Data: none given up" in Letters("en").write("handover.md", facts)
    assert "- no data was given up\n" in Letters("en").write("authority.txt", facts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drill_tells_what_a_failover_would_have_lost_and_threatens_nobody(tmp_path, language):
    facts = facts_at(lose(Story(tmp_path, "a", mode="drill")).whole())
    told = {"en": "would have lost up to 30 min", "fr": "aurait perdu jusqu’à 30 min"}[language]
    assert told in Letters(language).write("management.txt", facts)
    assert not re.search(r"may be missing|peut manquer", Letters(language).write("radiologists.txt", facts))


def test_copies_younger_than_the_incident_lose_nothing(tmp_path):
    facts = facts_at(lose(Story(tmp_path, "a"), point=20).whole())
    assert "nothing written before the incident is missing" in Letters("en").write("management.txt", facts)
    assert "rien de ce qui a été écrit avant l’incident ne manque" in Letters("fr").write(
        "management.txt", facts
    )


def test_copies_younger_than_the_incident_are_said_to_be_to_authorities(tmp_path):
    facts = facts_at(lose(Story(tmp_path, "a"), point=20).whole())
    assert "is younger than the incident\n" in Letters("en").write("authority.txt", facts)
    assert "est postérieure à l’incident\n" in Letters("fr").write("authority.txt", facts)
    assert "0.0 s" not in Letters("en").write("radiologists.txt", facts)


def test_an_incident_nobody_dated_bounds_no_loss(tmp_path):
    story = lose(Story(tmp_path, "a"))
    story.tell(ev.ClockSet(clock="impact", instant=START, source="assumed")).whole()
    facts = facts_at(story)
    assert "- PACS: after 03:22\n" in Letters("en").write("radiologists.txt", facts)
    assert "data written after 31 Jan 2026 at 03:22 CET is not at Lyon" in Letters("en").write(
        "authority.txt", facts
    )
    assert "nobody stated when the incident did" in Letters("en").write("management.txt", facts)


def test_a_service_with_several_volumes_is_named_once(tmp_path):
    story = Story(tmp_path, "a")
    losses = tuple(
        ev.LossData(
            volume=f"svm:v{n}", recovery_point=START - timedelta(minutes=n), seconds=60.0 * n,
            incident=START, service="pacs", step="boot",
        )
        for n in range(1, 4)
    )  # fmt: skip
    story.tell(ev.LossStated(losses=losses)).whole()
    assert [loss["volume"] for loss in facts_at(story)["missing"]] == ["svm:v3"]
