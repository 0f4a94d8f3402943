"""What the explorer shows: the cells that lie in a view, to any depth, as columns of bounded size."""
