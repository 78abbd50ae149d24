"""A notebook made from a script and executed, so that the two always hold the same.

    python examples/make_notebook.py examples/first_map.py        # writes examples/first_map.ipynb

The script is the source: `# %%` begins a cell of code, `# %% [markdown]` one of prose in comments. The notebook runs in
an empty folder. Needs nbclient and ipykernel.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.notebooknode import NotebookNode

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def notebook_of(script: str) -> NotebookNode:
    """The notebook of a script, not executed."""
    cells = []
    for n, block in enumerate(script.split("# %%")[1:]):
        kind, _, text = block.partition("\n")
        if kind.strip() == "[markdown]":
            prose = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.strip().splitlines())
            cells.append(nbformat.v4.new_markdown_cell(prose, id=f"cell-{n}"))
        else:
            cells.append(nbformat.v4.new_code_cell(text.strip(), id=f"cell-{n}"))
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook with its outputs; what the same run writes to disk is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.clear()  # when it ran
        if cell.cell_type == "code":  # a progress bar leaves an empty output
            cell.outputs = [o for o in cell.outputs if o.get("data", {}).get("text/plain") != ""]
    notebook.metadata = nbformat.from_dict(KERNEL)
    return notebook


if __name__ == "__main__":
    source = Path(sys.argv[1])
    nbformat.write(executed(notebook_of(source.read_text(encoding="utf-8"))), source.with_suffix(".ipynb"))
    print(f"{source.with_suffix('.ipynb')} written")
