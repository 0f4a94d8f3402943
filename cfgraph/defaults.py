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
POINT_BATCH = 32_768  # rows of a mini-batch, of points that are read in pieces
MEMORY = "512MB"

# logits
# tree
BAD_LENGTHS = ("error", "zero", "unknown")
BAD_LENGTH = "error"
UNDERSCORES = ("keep", "blanks")
UNDERSCORE = "keep"

LOGITS_LINKAGES = ("l2h", "spectral", "average")  # the paper's own, and two by affinities
LOGITS_LINKAGE = "l2h"

# dasgupta
DASGUPTA_FITS = ("search", "relaxed")
DASGUPTA_FIT = "search"
SHARPNESS = 1.0
LEAF_SIZE = 1

# infohier
VIEWS = ("vectors", "images")
BATCH = 256
RATE = 1e-3
LAMBDA_CONTRASTIVE, LAMBDA_HIERARCHICAL = 1.0, 0.1
DEVICE = "cpu"

# images
PIXELS = "pixels"
IMAGE_BATCH = 64
NORMS = ("imagenet", "clip", "none")

# apply
BEAM = 4

# search
NEIGHBOURS = 10
SEARCH_BEAM = 36  # finds .95 of the ten nearest on embeddings of images, looking at less than a tenth (docs/learning.md)

# induced
INDUCED_ARITY = 4
BANDWIDTH = 0.3  # of the spread of the data
TEMPERATURE = 0.2  # of the bandwidth
# hcrl
HCRL_DEPTH = 3
HCRL_BRANCHING = 3
HCRL_ENCODERS = ("none", "vae")
HCRL_ENCODER = "none"
LEVEL_RULES = ("fixed", "free")
LEVEL_RULE = "fixed"
COVARIANCES = ("diagonal", "isotropic")
HCRL_STARTS = ("split", "grow")
CONCENTRATION = 1.0  # gamma and alpha: all shares alike
LATENT = 10  # coordinates of an autoencoder's latents
LIKELIHOODS = ("bernoulli", "gaussian")
DEVICE = "cpu"
