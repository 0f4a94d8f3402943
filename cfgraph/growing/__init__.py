"""Growing: a frontier grown by a predictor, by workers that lease blocks of it."""
