"""Checks of one JSON value: what they take, and what they say of the rest."""

import math

import pytest

from mmsim.scenario.checks import ScenarioError, integer


@pytest.mark.parametrize(("bounds", "text"), [
    ((), "an integer"), ((3,), "an integer from 3"), ((3, 5), "an integer from 3 to 5"),
    ((-math.inf, 5), "an integer to 5")])
@pytest.mark.parametrize("value", ["x", 1.5, True, None])
def test_an_integer_is_asked_for_with_the_bounds_it_has(bounds, text, value):
    with pytest.raises(ScenarioError) as error:
        integer(*bounds)(value, "$.n")
    assert str(error.value).startswith(f"<scenario>: $.n: expected {text}, found ")


@pytest.mark.parametrize(("bounds", "value", "good"), [
    ((3, 5), 3, True), ((3, 5), 5, True), ((3, 5), 2, False), ((3, 5), 6, False), ((3,), 10**9, True),
    ((), -(10**9), True), ((), 2.0, True)])
def test_bounds_belong_to_what_they_bound(bounds, value, good):
    if good:
        assert integer(*bounds)(value, "$") == value
    else:
        with pytest.raises(ScenarioError):
            integer(*bounds)(value, "$")
