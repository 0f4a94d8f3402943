"""Learning: a predictor trained on the first levels of a field."""
