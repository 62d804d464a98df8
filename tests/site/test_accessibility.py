"""No barrier that axe-core calls serious or critical, in either colour scheme, on a wide and on a narrow screen."""

import pytest

RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(rule => ["serious", "critical"].includes(rule.impact))
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`)))"""


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_page_has_no_serious_barrier(visit, live, axe, scheme, width):
    visit.look(scheme, width)
    visit.page.wait_for_timeout(400)  # the theme makes what scrolls focusable a moment after the width has changed
    if not visit.page.evaluate("() => Boolean(window.axe)"):
        visit.page.evaluate(axe)
    assert visit.page.evaluate(RUN) == []
