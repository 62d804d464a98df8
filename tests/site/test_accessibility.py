"""No barrier that axe-core calls serious or critical, in either colour scheme, on a wide and on a narrow screen."""

RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(rule => ["serious", "critical"].includes(rule.impact))
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`)))"""


def test_page_has_no_serious_barrier(view, live, axe):
    if not view.evaluate("() => Boolean(window.axe)"):
        view.evaluate(axe)
    assert view.evaluate(RUN) == []
