"""The unit tests of the JavaScript (js/), run by node's own test runner."""

from pathlib import Path

import pytest
from livebook import runtime

TESTS = sorted((Path(__file__).parent / "js").glob("*.test.js"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_javascript(file):
    done = runtime.node(Path("--test"), file)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
