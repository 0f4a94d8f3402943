"""What the README shows to be run: its commands and its Python, and the files that they ask for."""

import re
from pathlib import Path

import networkx as nx
import numpy as np
from PIL import Image
from scipy.cluster.hierarchy import linkage

README = (Path(__file__).parents[1] / "README.md").read_text()


def block_with(words: str) -> str:
    """The block of commands in which ``words`` stand."""
    return next(block for block in re.findall(r"^```\n(.*?)^```", README, re.MULTILINE | re.DOTALL) if words in block)


def python_blocks() -> list[str]:
    """The blocks of Python: each goes on from the one before."""
    return re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def make_images(folder: Path) -> None:
    """The file that the first commands name."""
    np.save(folder / "images.npy", np.random.default_rng(0).normal(size=(400, 12)))


def make_inputs(folder: Path) -> None:
    """The files that people have already, small."""
    make_images(folder)
    random = np.random.default_rng(0)
    label = np.repeat(np.arange(10), 30)
    points = random.normal(size=(300, 4)) + 6 * random.normal(size=(10, 4))[label]
    arrays = {"classes": label, "points": points, "Z": linkage(points, "ward"), "single": linkage(points, "single")}
    arrays["logits"] = random.normal(size=(300, 10)) + 3 * np.eye(10)[label]
    arrays["digits"] = random.random((10, 64))[label] + random.random((300, 64))  # images of 8 x 8 pixels
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "pictures").mkdir()
    for number, pixels in enumerate((random.random((12, 8, 8, 3)) * 255).astype(np.uint8)):
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    (folder / "classes.txt").write_text("".join(f"class {number}\n" for number in range(10)))
    (folder / "species.nwk").write_text("((human:6,chimp:6):2,gorilla:8);")
    pairs = [("GO:0000001", "GO:0048308"), ("GO:0000001", "GO:0048311"), ("GO:0048308", "GO:0006996")]
    (folder / "ontology.tsv").write_text("child\tparent\n" + "".join(f"{child}\t{parent}\n" for child, parent in pairs))
    nx.write_graphml(nx.DiGraph([("a", "b"), ("a", "c")]), folder / "taxonomy.graphml")
