"""IPython's magics, as far as a page can do what they do, under IPython's names; what it can't is told in a sentence.

IPython itself turns `%name`, `%%name` and `!command` into calls of `run_line_magic`, `run_cell_magic` and `system`.
"""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import TransformerManager

import __main__

UNITS = (("s", 1), ("ms", 1e3), ("μs", 1e6), ("ns", 1e9))
RUNS = 7
TRANSFORM = TransformerManager().transform_cell


def plain(code: str) -> str:
    """Python for what may have magics in it, with the empty lines that it begins with: lines are counted."""
    return "\n" * re.match(r"(?:[ \t]*\n)*", code)[0].count("\n") + TRANSFORM(code)


def run_line_magic(name: str, line: str) -> Any:
    """Raises UsageError for what a page can't do."""
    return called(LINE, "%", name)(line)


def run_cell_magic(name: str, line: str, cell: str) -> Any:
    """Raises UsageError for what a page can't do."""
    return called(CELL, "%%", name)(line, cell)


def system(command: str) -> None:
    """Raises UsageError."""
    raise UsageError(f"A page has no shell that could run {command!r}.")


def called(magics: dict[str, Any], sign: str, name: str) -> Any:
    """The magic of a name."""
    if name not in magics:
        raise UsageError(f"A page can't do {sign}{name}, only {', '.join(sign + one for one in sorted(magics))}.")
    return magics[name]


def run(code: str, first_line: int = 1) -> Any:
    """Run code in `__main__` as a part of the cell; the value of its last expression."""
    from livebook_kernel import kernel

    body = ast.parse("\n" * (first_line - 1) + plain(code)).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), kernel.cell, "exec"), vars(__main__))
    return last and eval(compile(ast.Expression(last.value), kernel.cell, "eval"), vars(__main__))


def timed(code: str, first_line: int = 1) -> Any:
    """Run code and print how long it took."""
    start = time.perf_counter()
    try:
        return run(code, first_line)
    finally:
        print(f"Wall time: {span(time.perf_counter() - start)}")


def timeit(line: str, cell: str = "") -> None:
    """Print how long a statement takes. `-n`: loops in a run, by default enough for a fifth of a second; `-r`: runs."""
    import statistics
    import timeit

    given, statement = re.fullmatch(r"((?:\s*-[nr]\s*\d+)*)(.*)", line, re.DOTALL).groups()
    options = {name: int(number) for name, number in re.findall(r"-(.)\s*(\d+)", given)}
    if statement.lstrip().startswith("-"):
        raise UsageError("In a page %timeit has the options -n and -r.")
    measured, setup = (plain(cell), statement) if cell else (statement, "")
    timer = timeit.Timer(measured.strip(), setup.strip(), globals=vars(__main__))
    loops = options.get("n") or timer.autorange()[0]
    times = [took / loops for took in timer.repeat(options.get("r", RUNS), loops)]
    middle, spread = span(statistics.fmean(times)), span(statistics.pstdev(times))
    print(f"{middle} ± {spread} per loop (mean ± std. dev. of {len(times)} runs, {loops:,} loops each)")


def span(seconds: float) -> str:
    """A time in three figures, in the unit that suits it."""
    unit, factor = next((pair for pair in UNITS if seconds * pair[1] >= 1), UNITS[-1])
    return f"{seconds * factor:.3g} {unit}"


def writefile(line: str, cell: str) -> None:
    """Write a file, in the page's memory. `-a`: at its end."""
    *options, name = line.split() or [""]
    if not name or options not in ([], ["-a"]):
        raise UsageError("In a page it is %%writefile [-a] FILE.")
    with Path(name).open("a" if options else "w", encoding="utf-8") as file:
        file.write(cell)
    print(f"{'Appending to' if options else 'Writing'} {name}")


LINE = {
    "matplotlib": lambda line: None,  # a page has no matplotlib to be told
    "pinfo": lambda line: help(run(line)),  # `name?`
    "pwd": lambda line: str(Path.cwd()),
    "time": timed,
    "timeit": timeit,
}
CELL = {
    "file": writefile,
    "time": lambda line, cell: timed(cell, first_line=2),
    "timeit": timeit,
    "writefile": writefile,
}
