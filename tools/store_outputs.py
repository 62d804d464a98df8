"""Run notebooks and store their outputs in them, the same ones at each run: `store_outputs.py NOTEBOOK ...`.

What changes from run to run is left out: time stamps, versions, and the random ids of widgets.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

RANDOM = "application/vnd.jupyter.widget-view+json"


def store(path: Path) -> None:
    """Run one notebook in its own folder and write it back."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=120, record_timing=False, coalesce_streams=True, resources=where).execute()
    kept = {key: notebook.metadata[key] for key in ("kernelspec", "mmsim") if key in notebook.metadata}
    notebook.metadata = {**kept, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data.pop(RANDOM, None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument)
        store(Path(argument).resolve())
