"""What readers are asked, with keys that are computed: no question says what is right, its run does.

A question is named `CHAPTER/slug`. An answer maps the names of its fields to what the reader says, as typed or as
values, and may say under "sure" how sure they are: guess, fairly or certain.
"""

from mmsim.questions.data import chapters
from mmsim.questions.problems import Field, Problem, problem
from mmsim.questions.questions import check, hint, names, solve
from mmsim.questions.verdicts import Row, Solution, Verdict

__all__ = ["Field", "Problem", "Row", "Solution", "Verdict", "chapters", "check", "hint", "names", "problem", "solve"]
