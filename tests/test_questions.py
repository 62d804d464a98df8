"""The book's questions: their keys are what their runs say, in every variant; and what is said to answers."""

import json
import os
import random
import re
from itertools import permutations

import pytest

from mmsim import questions
from mmsim.__main__ import main
from mmsim.questions import building, check, claims, hint, names, problem, solve
from mmsim.questions.data import COUNTS, Filled, Scene, fill, filled, question_of, read, variants
from mmsim.questions.facts import Fact
from mmsim.questions.problems import paragraphs
from mmsim.questions.verbs import example_of
from mmsim.questions.verbs import keys_of as more_keys
from mmsim.scenario import ScenarioError
from mmsim.scenario.compare import COMPARE
from mmsim.scenario.format import STEP, STEPS

MOST = 200 if os.environ.get("MMSIM_ALL_VARIANTS") else 10
SEEDS = [(name, seed) for name in names() for seed in range(min(MOST, len(variants(question_of(name)))))]


# -- every question, every variant -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_the_solution_is_right(name, seed):
    verdict = check(name, solve(name, seed).answer, seed)
    assert verdict.state == ("noted" if problem(name).kind == "explain" else "right")


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_one_choice_is_right_and_a_run_refutes_each_other_one(name, seed):
    solution = solve(name, seed).answer
    for field in filled(name, seed).fields:
        if "choice" not in field or "sets" in field:
            continue
        verdicts = {c["text"]: check(name, {**solution, field["name"]: c["text"]}, seed) for c in field["choice"]}
        assert [text for text, verdict in verdicts.items() if verdict.right] == [solution[field["name"]]]
        for verdict in (v for v in verdicts.values() if not v.right):
            assert verdict.fields[field["name"]] is False
            assert any(not row.holds and row.said != row.found for row in verdict.facts)
            assert verdict.belief
            assert verdict.run["steps"]


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_what_is_believed_of_a_value_is_not_so(name, seed):
    solution = solve(name, seed).answer
    for field in filled(name, seed).fields:
        for belief in field.get("belief", ()):
            verdict = check(name, {**solution, field["name"]: belief["says"]}, seed)
            assert verdict.fields[field["name"]] is False
            assert verdict.belief == belief["reason"]


@pytest.mark.parametrize("name", names())
def test_nothing_tells_the_right_answer(name):
    shown = json.dumps(problem(name).as_json())
    assert not {"right", "correct", "key", "solution"} & set(keys_of(question_of(name)))
    assert not {"predicts", "reason", "belief", "worked", "right"} & set(keys_of(json.loads(shown)))
    assert all(c["reason"] not in shown for f in filled(name, 0).fields for c in f.get("choice", ()) if "reason" in c)


def keys_of(data):
    if isinstance(data, dict):
        yield from data
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from keys_of(each)


def test_the_right_choice_is_not_always_the_first():
    places = [f.choices.index(solve(name).answer[f.name]) for name in names() for f in problem(name).fields
              if f.kind == "choice" and f.choices[0] != "ZONE_MOVABLE" and f.choices[0] != "ZONE_NORMAL"]
    assert len(set(places)) > 2


def answers_to(name):
    """Every answer to a question that its file knows, and what is right."""
    solution = solve(name).answer
    yield solution
    for field in filled(name, 0).fields:
        said = [c["text"] for c in field.get("choice", ())] + [b["says"] for b in field.get("belief", ())]
        yield from ({**solution, field["name"]: each} for each in [*said, *(["yes", "no"] if "holds" in field else [])])


INTERNAL = re.compile(r"addr:|\b(errno|warns|no_log|nr_isolate|panic_text|unmovable:|can't happen|can happen)\b")


@pytest.mark.parametrize("name", names())
def test_a_verdict_has_no_word_of_the_format(name):
    question = filled(name, 0)
    labels = {field["label"].replace("`", "") for field in question.fields}
    for row in (row for answer in answers_to(name) for row in check(name, answer).facts):
        assert row.what in labels or not INTERNAL.search(row.what)
        assert not row.what.startswith(tuple(f"{case}:" for case in question.cases))
        assert not re.search("addr:|^E[A-Z]{3,}$", f"{row.said}\n{row.found}", re.MULTILINE)


@pytest.mark.parametrize("name", names())
def test_each_field_has_its_own_reason(name):
    question = filled(name, 0)
    labels = [field["label"] for field in question.fields]
    for verdict in (check(name, answer) for answer in answers_to(name)):
        assert [why.label for why in verdict.whys] == labels[: len(verdict.whys)]
        for field, why in zip(question.fields, verdict.whys, strict=False):
            assert verdict.fields[field["name"]] == why.right


RACE = {"do": "race", "tasks": [{"do": "isolate", "by": "A"}, {"do": "isolate", "by": "B"}]}


@pytest.mark.parametrize(("keys", "said", "last", "words"), [
    (("errno",), "EBUSY", {"do": "isolate", "by": "offlining"}, "what offlining gets: -EBUSY"),
    (("errno",), "0", {"do": "write"}, "how the write ends: success"),
    (("errno",), ["EBUSY", "0"], RACE, "what A and B get: -EBUSY for A and success for B"),
    (("dumped",), [None, "addr:46M"], {"do": "isolate"}, "pages given to dump_page(): NULL, the one at 46 MiB"),
    (("pageblocks", "addr:4M"), "Isolate", {"do": "isolate"}, "label of the pageblock at 4 MiB: Isolate"),
    (("nr_isolate", "Normal"), 2, {"do": "isolate"}, "isolated pageblocks in ZONE_NORMAL: 2"),
    (("zones", "Movable", "free"), {"min": 3}, {"do": "free"}, "free pages in ZONE_MOVABLE: at least 3"),
    (("blocks", "32-39"), "offline", {"do": "boot"}, "state of memory32 to memory39: offline"),
    (("driver", "rc"), "EBUSY", {"do": "resize"}, "what the driver's work ended with: -EBUSY"),
    (("driver", "states", "32"), "online", {"do": "resize"}, "what the driver notes of memory32: online"),
    (("plugged",), 64 << 20, {"do": "resize"}, "how much is plugged: 64 MiB"),
    (("notified", "A"), [], {"do": "write"}, "what A was told: nothing"),
    (("notified", "*"), ["MEM_OFFLINE"], {"do": "write"}, "what the notifiers were told: MEM_OFFLINE"),
    (("log",), ["a", "--- b"], {"do": "resize"}, "the log says: “a”"),
])
def test_a_fact_in_words(keys, said, last, words):
    fact, scene = Fact(keys, said), Scene({}, frozenset(), (last,))
    assert f"{claims.about(fact, scene)}: {claims.value(fact, said, scene)}" == words


def test_racers_of_one_name_are_told_apart():
    race = {"do": "race", "tasks": [{"do": "write"}, {"do": "write"}]}
    assert claims.ending({"errno": ["0", "EINVAL"]}, Scene({}, frozenset(), (race,))) == (
        "success for the first and -EINVAL for the second")


def test_every_fact_has_words():
    scene = Scene({}, frozenset(), ({"do": "boot"},))
    deeper = {"blocks": "1", "valid_zones": "1", "pageblocks": "0", "nr_isolate": "Normal", "zones": "Normal",
              "notified": "A"}
    keys = [(key, deeper[key]) if key in deeper else (key,) for key in (*COMPARE, *COUNTS) if key != "driver"]
    assert all(claims.about(Fact(each, 0), scene) for each in keys)


@pytest.mark.parametrize(("outcome", "words"), [
    ({"warns": 1, "panic": True}, "a warning and a kernel panic"),
    ({"warns": {"min": 1}}, "at least 1 warning"),
    ({"warns": 0, "dumped": [None]}, "0 warnings and a dump of NULL"),
    ({"errno": ["EBUSY", None], "log": ["x"], "no_log": ["y"]}, "-EBUSY for A, “x” in the log and “y” not in the log"),
    ({"dumped": [], "nr_isolate": {"Normal": 0}}, "no dump and isolated pageblocks in ZONE_NORMAL: 0"),
])
def test_an_outcome_in_words(outcome, words):
    assert claims.ending(outcome, Scene({}, frozenset(), (RACE,))) == words


@pytest.mark.parametrize(("patches", "words"), [
    ([], "before the series"), ([3], "with patch 3"), ([3, 1], "with patches 1 and 3"),
    ([1, 2, 3, 4], "with patches 1 to 4"), ([1, 3, 5], "with patches 1, 3 and 5"),
])
def test_a_kernel_in_words(patches, words):
    assert claims.kernel(patches) == words


# -- answers -----------------------------------------------------------------------------------------


RIGHT = {"errno": "-EBUSY", "log": "a warning with a stack trace", "dumped": "none: it isn't called"}


def test_answering_in_any_order_any_number_of_times_gives_the_same():
    answers = [RIGHT, {**RIGHT, "log": "nothing"}, {**RIGHT, "errno": 0}, {}]
    first = [check("patch1/late-loser", answer) for answer in answers]
    again = [index for index in range(4) for _ in range(3)]
    random.Random(1).shuffle(again)
    assert all(check("patch1/late-loser", answers[index]) == first[index] for index in again)
    assert [verdict.state for verdict in first] == ["right", "partly", "partly", "unanswered"]


@pytest.mark.parametrize("said", ["EBUSY", "-EBUSY", 16, -16, "16", "-16"])
def test_an_errno_has_many_spellings(said):
    assert check("patch1/late-loser", {**RIGHT, "errno": said}).right


@pytest.mark.parametrize("said", ["4M", "4 MiB", "4194304", 4 << 20, "4,194,304"])
def test_a_size_has_many_spellings(said):
    assert check("isolation/pfns-busy", {"left": said}).right


@pytest.mark.parametrize(("answer", "says"), [
    ({**RIGHT, "errno": "EBIG"}, "errno: 'EBIG' is not an errno: write such as 0, EBUSY or -16."),
    ({**RIGHT, "log": "z"}, "log: 'z' is none of the choices: write a, b or c."),
    ({"weather": "fine"}, "There is no field 'weather': the fields are errno, log, dumped."),
    ({**RIGHT, "sure": "very"}, "How sure you are is one of guess, fairly, certain, not 'very'."),
])
def test_nonsense_is_invalid_and_gets_a_sentence(answer, says):
    verdict = check("patch1/late-loser", answer)
    assert (verdict.state, verdict.message) == ("invalid", says)


@pytest.mark.parametrize("answer", [{}, {"errno": "EBUSY"}, {**RIGHT, "log": "  "}, {**RIGHT, "log": None}])
def test_an_empty_or_half_answer_is_not_answered(answer):
    assert check("patch1/late-loser", answer).state == "unanswered"


def test_a_wrong_answer_is_told_where_the_run_parts_from_it():
    verdict = check("patch1/late-loser", {**RIGHT, "log": "nothing"})
    assert str(verdict.first).endswith("WARNING at mm/page_isolation.c set_migratetype_isolate")
    assert verdict.message == "2 of 3 right. What does the kernel log say? Warnings in the log: 1, not 0."


def test_a_wrong_answer_is_told_of_every_field_that_is_wrong():
    wrong = check("patch1/late-loser", {"errno": "0", "log": "nothing", "dumped": "none: it isn't called"})
    assert wrong.message == ("1 of 3 right. What does offlining get? -EBUSY, not success. "
                             "What does the kernel log say? Warnings in the log: 1, not 0.")
    assert check("patch1/message", {"ends": "a"}).message.count("disagrees") == 0


LEANING = re.compile(r"(That|This|These|Those|So|Then|It|They|One may|Free it)\b")


@pytest.mark.parametrize("name", names())
def test_each_reason_stands_alone(name):
    """It is read below the label of its field, and the choice or the value that it is about isn't there."""
    for field in question_of(name)["field"]:
        for each in (field, *field.get("choice", ()), *field.get("belief", ())):
            assert not LEANING.match(each.get("reason", "")) or "asks" in each


def test_a_claim_about_a_race_is_refuted_by_a_schedule():
    verdict = check("patch1/atomic-walk", {"both": "no: who makes A fail has succeeded"})
    assert verdict.first.text == "B finds 48 MiB isolated, and leaves"
    assert verdict.first.number == verdict.run["stop"] < verdict.first.of <= len(verdict.run["schedule"])


@pytest.mark.parametrize("ends", [
    "with a warning, and with a dump of `NULL`", "with a dump of the page that is in the way",
    "with `-EBUSY` and nothing in the log",
])
def test_a_belief_ends_where_the_loser_says_what_it_says(ends):
    """What isn't dumped where the failure is reported is never dumped: giving back comes after that."""
    verdict = check("patch1/message", {"ends": ends})
    assert verdict.first.text == "offline finds 46 MiB isolated, and warns"
    assert verdict.first.number == verdict.run["stop"] == verdict.first.of - 1


def test_a_belief_about_a_silent_loser_ends_where_it_is_refused():
    verdict = check("patch1/still-needed", {"told": "without patch 1 the lost race still warns"})
    assert verdict.first.text == "offline finds 46 MiB isolated"


def test_yes_is_contradicted_somewhere_too():
    verdict = check("patch1/panic-on-warn", {"before": "no", "patch1": "no"})
    assert str(verdict.first).startswith("step 2 of 2: offlining wants to isolate")


def test_yes_and_no():
    assert check("patch1/panic-on-warn", {"before": "yes", "patch1": False}).right
    assert check("patch1/panic-on-warn", {"before": "no", "patch1": "no"}).state == "partly"


def test_an_order_that_the_run_does_not_have():
    right = solve("patch1/steps-of-the-race").answer["order"]
    verdict = check("patch1/steps-of-the-race", {"order": [right[1], right[0], *right[2:]]})
    assert verdict.state == "wrong"
    assert verdict.first.text == "offline isolates 44 MiB"
    assert check("patch1/steps-of-the-race", {"order": "a, b"}).state == "invalid"


ORDERS = [name for name in names() if problem(name).kind == "order"]
LINES = {name: question_of(name)["field"][0]["line"] for name in ORDERS}  # of steps or events, or of patches


@pytest.mark.parametrize("name", [name for name in ORDERS if "patch" not in LINES[name][0]])
def test_an_order_is_compared_place_by_place_with_the_one_that_is_right(name):
    right, (field,) = solve(name).answer["order"], problem(name).fields
    for said in (right, [*right[1:], right[0]], [right[1], right[0], *right[2:]]):
        verdict = check(name, {field.name: said})
        assert [(row.what, row.said) for row in verdict.facts] == [(f"place {n}", s) for n, s in enumerate(said, 1)]
        assert [row.found for row in verdict.facts] == right
        assert verdict.right == (said == right)
        assert verdict.message
        assert (verdict.reason != "") == verdict.right


@pytest.mark.parametrize("name", [name for name in ORDERS if "step" in LINES[name][0]])
def test_one_order_of_steps_alone_reaches_its_goal(name):
    right = solve(name).answer["order"]
    reached = [said for said in permutations(right) if check(name, {"order": list(said)}).right]
    assert reached == [tuple(right)]


def test_what_of_a_goal_is_missed_is_said_in_words():
    first, second, *rest = solve("virtio_mem/late").answer["order"]
    early = [first, rest[0], second, *rest[1:]]
    assert check("virtio_mem/late", {"order": early}).message == (
        "The goal is not reached: pages migrated: 0, not 16384.")
    logged = check("virtio_mem/late", {"order": [first, second, rest[2], rest[1], rest[0]]})
    assert logged.message == (
        "The goal is not reached: of the last step, the log says “virtio_mem virtio0: requested size: 0x0”.")
    assert logged.run["stop"]


def test_an_order_of_steps_that_cannot_be_done_is_wrong():
    right = solve("isolation/make-room").answer["order"]
    verdict = check("isolation/make-room", {"order": right[::-1]})
    assert verdict.state == "wrong"
    assert verdict.message == "As number 2, this can't be done: “the page is unpinned”; what it needs comes later."
    assert verdict.run["steps"][-1]["do"] == "alloc_contig"


def test_of_an_order_the_step_is_named_that_nobody_can_do():
    texts = [line["text"] for line in filled("review/a-moment-later", 0).fields[0]["line"]]
    goes, shrinks, page = sorted(texts, key=len)
    verdict = check("review/a-moment-later", {"order": [goes, page, shrinks]})
    assert verdict.message.startswith(f"As number 2, this can't be done: “{page}”")
    assert len(verdict.run["steps"]) == 1


LOSE = "isolate start=addr:46M end=addr:48M\nisolate start=addr:46M end=addr:48M"


@pytest.mark.parametrize(("patches", "steps", "state"), [
    ("4", LOSE + " flags=REPORT_FAILURE", "right"),
    ([2, 4], [{"do": "isolate", "start": 0, "end": 512},
              {"do": "isolate", "start": 0, "end": 512, "flags": ["REPORT_FAILURE"]}], "right"),
    ("4", LOSE, "wrong"),
    ("none", LOSE + " flags=REPORT_FAILURE", "wrong"),
    ("4", LOSE + " flags=NONSENSE", "invalid"),
    ("4", "isolate start=addr:46M end=addr:47M", "invalid"),
    ("4", "resize to=1G", "invalid"),
    ("7", LOSE, "invalid"),
    ("4", "\n".join([LOSE] * 3), "invalid"),
])
def test_what_is_built_is_run(patches, steps, state):
    verdict = check("patch1/make-it-true", {"patches": patches, "zone": "ZONE_MOVABLE", "steps": steps})
    assert verdict.state == state


@pytest.mark.parametrize("device", [False, True])
@pytest.mark.parametrize("verb", STEPS)
def test_each_verb_has_an_example_that_is_a_step(verb, device):
    question = Filled("a/b", 0, {"machine": {"virtio_mem": {}} if device else {}}, {})
    (step,) = building.written(example_of(question, verb), {})
    assert step["do"] == verb
    assert STEP(step, "$")
    assert {key for key in STEPS[verb] if not key.endswith("?")} <= set(step)


def test_the_keys_of_a_verb_are_those_of_the_format():
    assert more_keys("place") == "count=, as="
    assert more_keys("write") == ""


@pytest.mark.parametrize("name", [name for name in names() if problem(name).kind == "build"])
def test_who_writes_steps_is_shown_each_that_may_be_used(name):
    verbs = filled(name, 0).data["verbs"]
    (field,) = (each for each in problem(name).fields if each.kind == "steps")
    assert [line.split()[0] for line, _ in field.lines] == verbs
    answer = {each: said for each, said in solve(name).answer.items() if each != field.name}
    for line, _ in field.lines:
        said = f"{line.split()[0]} it"
        assert check(name, {**answer, field.name: said}).message.endswith(f"a step looks like {line}.")


@pytest.mark.parametrize("name", [name for name in names() if problem(name).kind == "write"])
def test_who_writes_a_function_is_told_that_its_names_are_fixed(name):
    call = re.search(r"def (.*\)):", solve(name).answer["code"])[1]
    assert f"called as `{call}`" in " ".join(problem(name).rules)


@pytest.mark.parametrize(("code", "state", "says"), [
    ("def warnings(patches, zone): return 0", "wrong", "(patches=[], zone='Movable') gives 0; the model gives 1."),
    ("def warnings(patches, zone):\n while True: pass", "wrong", "no end after"),
    ("def warnings(patches): return 0", "wrong", "TypeError"),
    ("def warnings(patches, zone): return zone == 'Movable' and not {1, 3} & set(patches)", "wrong", "gives False"),
    ("def warning(patches, zone): return 0", "invalid", "there is no function warnings"),
    ("def warnings(", "invalid", "line 1 is no Python"),
    ("import os", "invalid", "ImportError"),
])
def test_what_is_written_is_called_for_every_trial(code, state, says):
    verdict = check("patch1/write-the-warning", {"code": code})
    assert verdict.state == state
    assert says in verdict.message


def test_an_essay_is_never_right_or_wrong():
    assert check("patch1/better-errno", {"essay": "It could spin."}).state == "noted"
    assert sum(points for _, points in solve("patch1/better-errno").rubric) == problem("patch1/better-errno").points


def test_a_list_in_a_text_stays_one():
    before, items, after = paragraphs("Three\nblocks.\n\n* One\n  goes.\n* Two.\n\nWhy?")
    assert (before, items, after) == ("Three blocks.", "* One goes.\n* Two.", "Why?")
    assert paragraphs("Some:\n* one\n* two") == ("Some:", "* one\n* two")


def test_a_seed_gives_another_variant_and_another_order():
    assert "82 MiB" in problem("patch1/late-loser", 1).text[0]
    orders = {problem("patch1/late-loser", seed).fields[1].choices for seed in range(0, 30, 3)}
    assert len(orders) > 2
    assert problem("patch1/late-loser", 5) == problem("patch1/late-loser", 5)


@pytest.mark.parametrize("name", ["patch1/late", "weather/fine", "patch1"])
def test_an_unknown_name_says_what_is_known(name):
    with pytest.raises(ValueError, match=r"late-loser|patch1"):
        check(name, {})


def test_all_is_plain_data():
    for data in (problem("patch1/late-loser"), check("patch1/message", {"ends": "b"}), solve("patch1/late-loser")):
        assert json.loads(json.dumps(data.as_json()))
    assert {"home", "isolation", "patch1"} <= set(questions.chapters())


# -- the command line --------------------------------------------------------------------------------


@pytest.mark.parametrize(("errno", "status"), [("-16", 0), ("0", 1), ("EBIG", 2)])
def test_page_and_command_line_say_the_same(errno, status, capsys):
    answer = {**RIGHT, "errno": errno}
    words = [word for key, said in answer.items() for word in ("--answer", f"{key}={said}")]
    assert main(["question", "check", "patch1/late-loser", "--json", *words]) == status
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(check("patch1/late-loser", answer).as_json()))


def test_the_command_line_lists_shows_hints_and_solves(capsys):
    assert main(["question", "list", "patch1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == names("patch1")
    for action, text in (("show", "82 MiB"), ("solve", "EBUSY")):
        assert main(["question", action, "patch1/late-loser", "--seed", "1"]) == 0
        assert text in capsys.readouterr().out
    assert main(["question", "hint", "patch1/late-loser"]) == 0
    assert capsys.readouterr().out == hint("patch1/late-loser") + "\n"
    assert main(["question", "list"]) == 0
    assert "isolation/empties" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["show", "patch1/none"], ["check", "patch1/message", "--answer", "ends"],
                                   ["show", "patch1/message", "--seed", "-1"],
                                   ["check", "patch1/message", "--answer", "ends=@/no/such/file"]])
def test_bad_input_has_status_2_and_a_sentence(words, capsys):
    assert main(["question", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_code_can_come_from_a_file(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(solve("patch1/write-the-warning").answer["code"])
    assert main(["question", "check", "patch1/write-the-warning", "--answer", f"code=@{file}"]) == 0
    assert "16 trials" in capsys.readouterr().out


# -- files -------------------------------------------------------------------------------------------


REPLACES = """
replaces = "mmsim.mm.page_isolation"
function = "set_migratetype_isolate"
worked = { code = "pass" }
"""
FILE = """
[[question]]
slug = "one"
title = "t"
kind = "predict"
minutes = 1
points = 1
objectives = ["o"]
kernel = "k"
text = "t"
hint = "h"
machine = { boot_memory = "128M", zone_of = [["addr:0", "addr:128M", "Movable"]] }
steps = [{ do = "isolate", start = 0, end = 512 }]
[[question.field]]
name = "f"
label = "l"
choice = [
    { text = "a", predicts = { errno = "0" }, reason = "r" },
    { text = "b", predicts = { errno = "EBUSY" }, reason = "r" },
]
"""


@pytest.mark.parametrize(("old", "new", "says"), [
    ("minutes = 1", "minutes = 0", "x.toml: question one.minutes: expected an integer from 1 to 60, found 0"),
    ("minutes = 1", "", "x.toml: question one: expected the key minutes"),
    ('slug = "one"', "", "x.toml: question number 1: expected the key slug"),
    ('title = "t"', 'tittle = "t"', "x.toml: question one.tittle: expected one of the keys"),
    ("points = 1", "points =", "x.toml: the whole file: expected TOML"),
    ('do = "isolate"', 'do = "jump"', "question one.steps[0].do: expected one of boot"),
    ("end = 512", "end = 512, expect = {}", "question one.steps[0].expect: expected nothing"),
    ('boot_memory = "128M"', 'boot_memory = "x"', "question one.machine.boot_memory: expected a size"),
    ('errno = "0"', 'errno = "no"', "question one.field[f].choice[a].predicts.errno: expected"),
    ('errno = "0"', 'weather = "0"', "question one.field[f].choice[a].predicts.weather: expected one of the keys"),
    ('errno = "0"', "orders = 3", "question one.field[f].choice[a].predicts: expected outcomes, schedules, orders"),
    ('predicts = { errno = "0" }, ', "", "question one.field[0].choice[0]: expected the keys text, predicts, reason"),
    ('errno = "EBUSY"', 'errno = "0"', "question one.field[f]: expected exactly one choice that the run agrees with"),
    ('text = "t"', 'text = "$gap"', "question one.text: expected a gap that something fills"),
    ("end = 512", "end = 513", "question one.steps: expected steps that can be done"),
    ('kind = "predict"', 'kind = "write"', "question one: expected the key function, for the kind write"),
    ('kind = "predict"', f'kind = "write"\n{REPLACES}', "question one: expected the key scenes"),
])
def test_a_malformed_file_is_told_where(old, new, says, monkeypatch):
    text = FILE.replace(old, new, 1)
    with pytest.raises(ScenarioError) as error:
        ask(text, monkeypatch)
    assert says in str(error.value)


def ask(text, monkeypatch):
    (question,) = read(text, "x.toml").values()
    one: Filled = fill("x/one", 0, question)
    monkeypatch.setattr("mmsim.questions.questions.filled", lambda name, seed: one)
    return solve("x/one")


def test_the_file_is_well_formed_otherwise(monkeypatch):
    assert ask(FILE, monkeypatch).answer == {"f": "a"}


def test_a_slug_is_there_once():
    with pytest.raises(ScenarioError, match="a slug that no other question has"):
        read(FILE + FILE, "x.toml")


def test_what_never_ends_is_told_in_words():
    verdict = questions.check("memory_blocks/fails-in-the-end", {"end": "`-EBUSY` at once"})
    assert verdict.state == "wrong"
    assert "it tries without end" in str(verdict)
    assert "ENDLESS" not in str(verdict)
