"""One browser for all tests of a process: Playwright can't be started twice."""

pytest_plugins = ["browsing"]
