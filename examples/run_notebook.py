"""Run the notebooks of this folder and write them back with what they print: `python examples/run_notebook.py`.

Needs what a notebook needs (`pip install 'posebench-hpe[notebook]'`). What differs from run to run, such as times and
the kernel's version, is left out, so that a notebook changes only where its cells or its numbers do.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run those named on the command line, all of them by default."""
    import nbformat
    from nbclient import NotebookClient

    os.environ["POSEBENCH_THREADS"] = "1"  # the same numbers to the last digit everywhere
    for path in [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number}"
            cell.metadata = {}
            for output in cell.get("outputs", []):
                output.get("metadata", {}).clear()
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
        print(f"{path.name}: {len(notebook.cells)} cells")


if __name__ == "__main__":
    main()
