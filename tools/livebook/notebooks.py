"""What pages are told of their notebooks: which cell is which, and a picture where a widget will be."""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def elements(document: nodes.document, kind: str) -> list[nodes.container]:
    """MyST-NB's containers of a kind."""
    return [node for node in document.findall(nodes.container) if node.get("nb_element") == kind]


def name_cells(app: Sphinx, document: nodes.document) -> None:
    """Give each cell of code the id that its notebook file has for it: it stays when cells are added above."""
    file = Path(document["source"])
    if file.suffix != ".ipynb":
        return  # a notebook in Markdown has no ids
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    for node in elements(document, "cell_code"):
        if name := cells[node["cell_index"]].get("id"):
            node["ids"].append(f"cell-{name}")


class StillPictures(SphinxPostTransform):
    """Put a widget's static form beside it: it is seen until the widget is drawn, and stays where none can be."""

    default_priority = 3  # before MyST-NB chooses one form of each output

    def run(self, **kwargs: object) -> None:
        """For each output that has both."""
        if self.app.builder.format != "html":
            return
        for bundle in elements(self.document, "mime_bundle"):
            forms = {form["mime_type"]: form for form in bundle.children}
            if {WIDGET_VIEW, "text/html"} <= set(forms):
                still = nodes.container(classes=["livebook-still"])
                still += [child.deepcopy() for child in forms["text/html"].children]
                forms[WIDGET_VIEW] += still
