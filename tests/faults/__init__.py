"""Faults: what is done to workers, servers, connections and clocks, and what must be left of it in the graph: nothing."""
