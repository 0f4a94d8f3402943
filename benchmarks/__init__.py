"""The benchmarks: what cfgraph does against what one would do without it, as ratios measured in one run (`make bench`)."""
