"""Methods: what a hierarchy does that is done on floors above this one: a picture, tables, graphs, a notebook's view.

Each is the function of the same sentence; ``cfgraph.late.later`` loads it when it is called for. A description without cells
has the methods too, and gets the error that says how to read them.
"""

from typing import TYPE_CHECKING, Any

from cfgraph.late import later

if TYPE_CHECKING:
    from pathlib import Path

    import networkx as nx
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cfgraph.exploring.explorer import Explorer
    from cfgraph.judging.cut import FlatClusters


class Methods:
    """The methods of a hierarchy that lie above it."""

    def plot(
        self,
        *,
        form: str | None = None,
        depth: int | None = None,
        level: int | None = None,
        color_by: str | None = None,
        labels: Any = None,
        ax: "Axes | None" = None,
    ) -> "Figure":
        """A picture as a matplotlib figure, as ``cfgraph plot`` draws it: ``koch.plot(form="icicle", depth=3)``.

        Args:
            form: ``centers`` (as usual where two axes show a third of their variance), ``tree`` (as usual elsewhere),
                ``dendrogram``, ``radial``, ``icicle`` or ``disk``.
            depth: leaves deeper levels out.
            level: draws the centers of this level alone.
            color_by: ``cut``, ``cut:K``, ``labels`` or a property of cells, in place of branches and levels.
            labels: classes of the points, to color by: an array, a list, a series or a frame with names.
            ax: axes of your own to draw on; the figure is theirs then, without headings and legends.

        Raises:
            InputError: for a hierarchy without cells, and a form that it is not fit for.
            MissingExtraError: where matplotlib is not installed.
        """
        asked = {"form": form, "depth": depth, "level": level, "color_by": color_by, "labels": labels}
        found: Figure = later("cfgraph.judging.picture", "plot")(self, **asked, ax=ax)
        return found

    def to_networkx(self) -> "nx.DiGraph[str]":
        """The cells as a ``networkx.DiGraph``: :func:`cfgraph.to_networkx`."""
        found: nx.DiGraph[str] = later("cfgraph.formats.networkx", "to_networkx")(self)
        return found

    def to_arrow(self) -> "tuple[pa.Table, pa.Table]":
        """The cells and the edges as Arrow tables: :func:`cfgraph.formats.to_arrow`."""
        found: tuple[pa.Table, pa.Table] = later("cfgraph.formats.tables", "to_arrow")(self)
        return found

    def to_pandas(self) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """The cells, by address, and the edges as pandas' frames: :func:`cfgraph.formats.to_pandas`."""
        found: tuple[pd.DataFrame, pd.DataFrame] = later("cfgraph.formats.tables", "to_pandas")(self)
        return found

    def to_linkage(self) -> "np.ndarray":
        """SciPy's linkage matrix of a binary tree with heights: :func:`cfgraph.formats.to_linkage`."""
        self._cells_there()
        found: np.ndarray = later("cfgraph.formats.linkage", "to_linkage")(self)
        return found

    def cut(
        self,
        *,
        clusters: int | None = None,
        height: float | None = None,
        level: int | None = None,
        persistence: bool = False,
        sizes: tuple[int, int] | str | None = None,
        minimum_size: int | None = None,
        method: str | None = None,
        allow_single: bool | None = None,
        epsilon: float | None = None,
    ) -> "FlatClusters":
        """Flat clusters as labels of the data points: ``iris.cut(clusters=3)``; :func:`cfgraph.cut` has the five ways."""
        self._cells_there()
        asked = {"clusters": clusters, "height": height, "level": level, "persistence": persistence, "sizes": sizes}
        asked |= {"minimum_size": minimum_size, "method": method, "allow_single": allow_single, "epsilon": epsilon}
        found: FlatClusters = later("cfgraph.judging.cut", "cut")(self, **asked)
        return found

    def explore(
        self,
        *,
        beside: Any = None,
        browser: bool = True,
        port: int | None = None,
        memory: str | int = "512MB",
        images: "Path | str | None" = None,
    ) -> "Explorer":
        """A page on which it is looked at, zoomed without end: :func:`cfgraph.explore`, which tells the arguments.

        A notebook shows a still picture and the page's address, which works on the machine that runs the kernel.
        """
        asked = {"beside": beside, "browser": browser, "port": port, "memory": memory, "images": images}
        found: Explorer = later("cfgraph.exploring.explorer", "explore")(self, **asked)
        return found

    def _repr_html_(self) -> str:
        found: str = later("cfgraph.plots.thumbnail", "hierarchy_html")(self)
        return found

    def _cells_there(self) -> None:
        """The error of a hierarchy without cells, where a function above does not look for itself."""
        require: Any = getattr(self, "require_cells", None)
        if require is not None:
            require()
