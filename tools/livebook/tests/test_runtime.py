"""What live pages load: laid out, made once for the same input, and to the last byte a function of it."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from livebook import runtime
from sphinx.errors import ExtensionError

BOOK = Path(__file__).parent / "book"


def lay_out(folder, packages=("packaging",), files=("data",)):
    """The stage of the small book."""
    runtime.lay_out(folder, list(packages), [(BOOK / name, name) for name in files])
    return folder


def names(folder):
    """All files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_stage_has_what_the_pages_python_is_to_have(tmp_path):
    stage = names(lay_out(tmp_path / "stage", files=("data", "conf.py")))
    assert {"own/packaging/version.py", "files/data/note.txt", "files/conf.py", "base/livebook_kernel.py"} <= stage
    assert {"base/ipywidgets/__init__.py", "base/IPython/display.py", "base/comm/__init__.py"} <= stage
    assert {"base/licenses/ipywidgets-LICENSE", "base/licenses/IPython-LICENSE"} <= stage
    assert {"base/traitlets/traitlets.py", "base/traitlets/config/loader.py"} <= stage
    assert not [name for name in stage if re.search(r"__pycache__|/tests/|\.pyc$", name)]


def test_fingerprint_is_that_of_the_content(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    (here / "main.js").write_text("1")
    one, other = lay_out(tmp_path / "one"), lay_out(tmp_path / "deeper" / "other")
    before = runtime.fingerprint(one, here)
    assert runtime.fingerprint(other, here) == before

    (here / "tests").mkdir()
    (here / "tests" / "test.js").write_text("1")
    assert runtime.fingerprint(one, here) == before, "tests are not part of it"

    (other / "files" / "data" / "note.txt").write_text("other")
    assert runtime.fingerprint(other, here) != before
    (one / "files" / "data" / "note.txt").rename(one / "files" / "data" / "noted.txt")
    assert runtime.fingerprint(one, here) != before
    (here / "main.js").write_text("2")
    assert runtime.fingerprint(lay_out(tmp_path / "again"), here) != before


@pytest.mark.parametrize("name", ["no_such_package", "ast"])
def test_what_is_no_package_is_named(tmp_path, name):
    with pytest.raises(ExtensionError, match=f"there is no package '{name}'"):
        lay_out(tmp_path / "stage", packages=[name])


def test_what_goes_wrong_in_node_is_told_in_one_line(tmp_path):
    (tmp_path / "wrong.mjs").write_text("throw new Error('so it is')")
    with pytest.raises(ExtensionError, match=r"^livebook: the pages' files can't be made: Error: so it is$"):
        runtime.run_node(tmp_path / "wrong.mjs")


@pytest.mark.parametrize(("content", "told"), [
    ("import 'no-such-package';", r"Cannot find package 'no-such-package' imported from .*wrong\.mjs$"),
    ("let x = ;", "SyntaxError: Unexpected token ';'$"),
])  # fmt: skip
def test_line_is_that_of_the_error(tmp_path, content, told):
    (tmp_path / "wrong.mjs").write_text(content)
    with pytest.raises(ExtensionError, match=told):
        runtime.run_node(tmp_path / "wrong.mjs")


def test_package_that_cannot_be_imported_in_a_page_is_told_by_pythons_error(packages, tmp_path, monkeypatch):
    (tmp_path / "hopeless").mkdir()
    (tmp_path / "hopeless" / "__init__.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    config = SimpleNamespace(livebook_packages=["hopeless"], livebook_files=[])
    with pytest.raises(ExtensionError, match=r"made: ModuleNotFoundError: No module named 'no_such_module'$"):
        runtime.make(config, BOOK, tmp_path / "cache")


def test_the_same_input_gives_the_same_files(book, tmp_path):
    config = SimpleNamespace(livebook_packages=["packaging"], livebook_files=["data"])
    made = runtime.make(config, BOOK, tmp_path / "elsewhere")
    built = book / "_static" / "livebook"
    ours = names(made) - {".complete"}
    assert ours == {name for name in names(built) if not name.startswith(("mathjax/", "."))}
    assert [name for name in ours if (made / name).read_bytes() != (built / name).read_bytes()] == []

    (made / "left").touch()
    assert runtime.make(config, BOOK, tmp_path / "elsewhere") == made
    assert (made / "left").exists(), "what is there is not made again"


def test_files_are_named_after_their_content(book):
    loaded = {name for name in names(book / "_static" / "livebook") if not re.search("mathjax|LEGAL|^[.]", name)}
    assert {name for name in loaded if not re.fullmatch(r"\w+\.[0-9a-f]{12}\.\w+", name)} == set()
