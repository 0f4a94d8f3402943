"""The defaults of the sources' arguments: apart from the code, so that the command line shows them without loading it."""

SEED = 0

# cfg: what the smooth rule needs to vary clearly over the field and still be learned from few levels
ARITY = 4
DIMENSION = 2
SCALE_FACTOR = 0.5
RULES = ("smooth", "constant")
RULE = "smooth"
SEPARATION = 1.0
AMPLITUDE_SHARE = 0.25  # of the separation
FREQUENCY = 3.0  # radians from the middle of the field to its rim

# ifs
BUILT_IN = ("dragon", "fern", "koch", "levy", "sierpinski")

# points
POINTS_ARITY = 3
MINIMUM_SIZE = 2
SCALE_DEPTH = 2
HEADER_RULES = ("auto", "yes", "no")  # whether the first line of a table is a header
HEADER_RULE = "auto"
DUPLICATES = ("refuse", "keep", "drop")
DUPLICATE_RULE = "refuse"
