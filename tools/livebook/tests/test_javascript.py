"""The unit tests of the JavaScript (js/), run by node's own test runner."""

from pathlib import Path

import pytest
from livebook import runtime
from sphinx.errors import ExtensionError

TESTS = sorted((Path(__file__).parent / "js").glob("*.test.js"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_javascript(file):
    try:
        runtime.run_node(Path("--test"), file)
    except ExtensionError as error:
        pytest.fail(str(error), pytrace=False)
