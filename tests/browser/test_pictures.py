"""The pictures of docs/explorer.md, made from the page itself: CFGRAPH_PICTURES=1 writes them anew."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.browser.looking import until

DOCS = Path(__file__).parents[2] / "docs"
WRITE = os.environ.get("CFGRAPH_PICTURES") == "1"
DEEP = "/" + "/".join("120" * 40)
PICTURES = {  # the page's link, and keys that are pressed then
    "explorer-map": ("id=fern&color=level", []),
    "explorer-deep": (f"id=koch&at={DEEP}&p=0,0&z=0.9&select={DEEP}", []),
    "explorer-trees": ("id=space&trees=icicle,radial&select=/1/0", []),
    "explorer-beside": ("id=koch&beside=koch off", []),
}


@pytest.mark.slow("a real browser that draws in software")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_the_document(look, name, tmp_path):
    """Each is there, is shown by the document, and is of what the page looks like still: as much of it is lit."""
    from PIL import Image

    link, keys = PICTURES[name]
    page = look(link, width=1200, height=760)
    page.do(*keys)
    if "select" in link:
        until(lambda: "Where it is" in page.text("#panel-cell"), "the panel")
    page.page.wait_for_timeout(2_500)  # finer cells, once nothing moves
    page.settle()
    file = (DOCS if WRITE else tmp_path) / f"{name}.png"
    page.page.screenshot(path=file)
    Image.open(file).quantize(200).save(file, optimize=True)
    assert f"({name}.png)" in (DOCS / "explorer.md").read_text()
    kept, made = (np.asarray(Image.open(folder / f"{name}.png").convert("L")).astype(float) for folder in (DOCS, file.parent))
    assert kept.shape == made.shape
    assert abs((kept > 60).mean() - (made > 60).mean()) < 0.02
