"""A nested-CRP tree of Gaussians (HCRL, arXiv 1901.09906), fitted by coordinate ascent on its bound; numpy alone.

``shape.py`` is the tree with its atoms, ``model.py`` what it says of points, ``sweep.py`` the five updates and the bound,
``start.py`` where a fit begins, ``surgery.py`` how the tree changes, ``hanging.py`` how nodes that were found anywhere become a
tree, ``fit.py`` all of it in order.
"""
