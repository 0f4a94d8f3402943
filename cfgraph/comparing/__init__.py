"""Comparing: a true hierarchy against a predicted one, level by level, with bounds."""
