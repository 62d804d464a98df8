"""Functions that the reader writes, compared with what the model does in each of many trials.

The code runs in a namespace of its own, with few of Python's names and a limit on its steps. That guards against
slips, such as a loop without end; it is no wall against somebody who means harm.
"""

from __future__ import annotations

import builtins
import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from types import FrameType
from typing import Any

from mmsim.questions.answers import Misread
from mmsim.questions.data import Filled
from mmsim.questions.facts import Fact, shown
from mmsim.questions.judging import PROBES
from mmsim.questions.runs import watch
from mmsim.questions.verdicts import Part, Row, opened
from mmsim.questions.words import one_line

Object = dict[str, Any]
STEPS = 300_000  # of Python's bytecode in one call: a loop without end may be a single line
ANSWER = "<answer>"  # the file that the reader's code is in
BUILTINS = (
    "abs all any bool dict divmod enumerate filter float frozenset int isinstance len list map max min pow print range"
    " repr reversed round set slice sorted str sum tuple type zip True False None"
    " Exception ValueError TypeError KeyError IndexError StopIteration ArithmeticError ZeroDivisionError"
)  # fmt: skip


class TooLong(BaseException):
    """The code has run for more steps than it may; no `except Exception` of its own takes it."""


def limited(call: Callable[[], Any], steps: int = STEPS) -> Any:
    """What a call returns. Raises TooLong when Python has taken so many steps in the reader's code."""
    left, before = steps, sys.gettrace()

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != ANSWER:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if left < 0:
            raise TooLong
        return count

    with redirect_stdout(StringIO()):  # what it prints is no part of the answer
        sys.settrace(count)
        try:
            return call()
        finally:
            sys.settrace(before)


def compiled(code: str, name: str, known: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """The reader's function, which may use the names `known`. Raises Misread if there is none, or it is no Python."""
    names = {each: getattr(builtins, each) for each in BUILTINS.split() if hasattr(builtins, each)}
    namespace: Object = {**(known or {}), "__builtins__": names, "__name__": "answer"}
    namespace.pop(name, None)
    try:
        limited(lambda: exec(compile(code, ANSWER, "exec"), namespace))
    except TooLong:
        raise Misread("the code doesn't come to an end before any function is called") from None
    except SyntaxError as error:
        raise Misread(f"line {error.lineno} is no Python: {error.msg}") from None
    except Exception as error:
        raise Misread(f"the code can't be run: {type(error).__name__}: {error}") from None
    if not callable(found := namespace.get(name)):
        raise Misread(f"there is no function {name}: write def {name}(…)")
    return found  # type: ignore[no-any-return]


def trials(question: Filled) -> Iterator[Object]:
    """The arguments of each call: every combination of what `trials` lists; a table is a dict to the function."""
    lists = question.data["trials"]
    yield from (dict(zip(lists, values, strict=True)) for values in product(*lists.values()))


def gaps(trial: Object) -> Object:
    """What a trial fills in the run: each argument, and of one that is a table what it holds."""
    return {**trial, **{key: value for each in trial.values() if isinstance(each, dict) for key, value in each.items()}}


def found_by_model(question: Filled, field: Object, trial: Object) -> Any:
    """What the run with these values in its gaps says."""
    fact = Fact(question.asked(field), PROBES[question_kind(question, field)])
    (finding,) = watch(question.scene(more=gaps(trial)), [fact])
    return finding.found


def question_kind(question: Filled, field: Object) -> str:
    """The kind of value that the function returns."""
    return question.kind({key: value for key, value in field.items() if key != "kind"})


def judge(question: Filled, field: Object, code: str) -> Part:
    """Call the reader's function for each trial, and show the first that the model decides otherwise."""
    function, count = compiled(code, question.data["function"]), 0
    for trial in trials(question):
        wanted, count = found_by_model(question, field, trial), count + 1
        given = outcome(function, trial)
        if type(given) is not type(wanted) or given != wanted:
            told = shown(field["asks"], given) if type(given) is type(wanted) else str(given)
            return differs(question, field, trial, told, shown(field["asks"], wanted))
    row = Row(field["name"], "calls that give what the model gives", f"{count} of {count}", f"{count} of {count}", True)
    reason = one_line(field.get("reason", ""))
    return Part((field["name"],), True, (row,), None, reason, None, f"It agrees with the model in all {count} trials.")


def outcome(function: Callable[..., Any], trial: Object) -> Any:
    """What a call returns, or an exception as words."""
    try:
        return limited(lambda: function(**copy.deepcopy(trial)))
    except TooLong:
        return Words(f"no end after {STEPS} steps")
    except Exception as error:
        return Words(f"{type(error).__name__}: {error}")


class Words(str):
    """What happened instead of a result; equal to no result of the model, whose type is another one."""


def differs(question: Filled, field: Object, trial: Object, said: str, found: str) -> Part:
    """The verdict that shows one trial."""
    call = f"{question.data['function']}({', '.join(f'{key}={literal(key, value)}' for key, value in trial.items())})"
    message = f"{call} gives {said}; the model gives {found}."
    scene = question.scene(more=gaps(trial))
    return Part((field["name"],), False, (Row(field["name"], call, said, found, False),), None, "",
                opened(scene, stop=len(scene.steps)), message)


def literal(key: str, value: Any) -> str:
    """An argument as Python has it; a pfn in hexadecimal, as in all that is told."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {literal(name, inner)}" for name, inner in value.items()) + "}"
    return hex(value) if key == "pfn" else repr(value)
