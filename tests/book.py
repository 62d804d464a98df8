"""The book as it is stored: its pages in the order of the contents, their text, code and data, and the glossary."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = {"hide-cell", "hide-input", "remove-cell", "remove-input"}
TERM = re.compile(r"\{term\}`([^`]*?)(?:<([^`<>]*)>)?`")
TITLE = re.compile(r"#+ ")


def listed():
    """The names of the pages in the order of the contents, such as `series/patch1`."""
    return re.findall(r"(?:root|file): *book/(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))


def linked(text):
    """The terms that a text links to the glossary, in small letters, in order."""
    return [(target or shown).strip().lower() for shown, target in TERM.findall(text)]


@dataclass(frozen=True)
class Page:
    """A notebook of the book."""

    name: str

    @cached_property
    def notebook(self):
        return json.loads((ROOT / "book" / f"{self.name}.ipynb").read_text(encoding="utf-8"))

    @property
    def about(self):
        """What the notebook says about itself: objectives, needs, minutes, and perhaps exercise_minutes."""
        return self.notebook["metadata"].get("mmsim", {})

    @property
    def code(self):
        """The source of every code cell."""
        return ["".join(cell["source"]) for cell in self.notebook["cells"] if cell["cell_type"] == "code"]

    @property
    def removed(self):
        """The source of the code cells that are on no page: they test the one above."""
        cells = [cell for cell in self.notebook["cells"] if "remove-cell" in cell["metadata"].get("tags", [])]
        return ["".join(cell["source"]) for cell in cells]

    @property
    def shown(self):
        """The source of the code cells that a reader sees."""
        cells = [cell for cell in self.notebook["cells"] if cell["cell_type"] == "code"]
        return ["".join(cell["source"]) for cell in cells if not HIDDEN & set(cell["metadata"].get("tags", []))]

    @property
    def text(self):
        """All its Markdown."""
        return "\n\n".join("".join(c["source"]) for c in self.notebook["cells"] if c["cell_type"] == "markdown")

    @property
    def sections(self):
        """Its sections: title -> the cells below it, up to the next title of the same level, each as (kind, source)."""
        found, title = {}, ""
        for cell in self.notebook["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                hidden = bool(HIDDEN & set(cell["metadata"].get("tags", [])))
                found.setdefault(title, []).append(("hidden" if hidden else "shown", source))
                continue
            for part in re.split(r"^(?=## )", source, flags=re.MULTILINE):
                if part.startswith("## "):
                    head, _, part = part.partition("\n")
                    title = head.removeprefix("## ").strip()
                if part.strip():
                    found.setdefault(title, []).append(("text", part.strip()))
        return found

    @property
    def words(self):
        """How many words of Markdown it has; an address is none, and a mark of Markdown neither."""
        plain = re.sub(r"\]\([^)]*\)", "]", TERM.sub(r"\1", self.text))
        return sum(any(map(str.isalnum, word)) for word in plain.split())

    @property
    def asked(self):
        """The names of the questions that it asks, in order."""
        return re.findall(r"""\bask\(\s*["']([^"']+)["']""", "\n".join(self.code))

    @property
    def prose(self):
        """Its sentences: no titles, no boxes, no addresses, no quoted lines and no code of more than a line."""
        text = re.sub(r"^(:{3,}|`{3,}).*?^\1$", "", self.text, flags=re.DOTALL | re.MULTILINE)
        lines = [line for line in text.splitlines() if not TITLE.match(line)]
        return re.sub(r"\]\([^)]*\)", "]", "\n".join(lines))


@dataclass(frozen=True)
class Entry:
    """A term of the glossary with its other names, what it says, and the page that explains it, if it names one."""

    names: tuple[str, ...]
    text: str

    @property
    def page(self):
        """The page that explains the term, or None."""
        found = re.search(r"Explained in \[\]\(\.\./(\S+)\.ipynb\)\.", self.text)
        return found and found[1]


def glossary():
    """The entries of the glossary, in order."""
    text = (ROOT / "book" / "reference" / "glossary.md").read_text(encoding="utf-8")
    body = re.search(r"^```\{glossary\}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]
    entries = []
    for part in re.split(r"\n{2,}", body.strip("\n")):
        lines = part.splitlines()
        names = [line for line in lines if not line.startswith(" ")]
        entries.append(Entry(tuple(names), " ".join(line.strip() for line in lines[len(names):])))
    return entries


PAGES = [Page(name) for name in listed() if (ROOT / "book" / f"{name}.ipynb").exists()]
