"""Single facts, as questions tell and compare them."""

from mmsim.questions.facts import single


def test_a_size_in_facts_may_be_told_in_words():
    facts = list(single({"plugged": "8M", "requested": {"max": "1G"}, "zones": {"Movable": {"free": 8}}}))
    assert [fact.said for fact in facts] == [8 << 20, {"max": 1 << 30}, 8]
