"""Engines: whatever people have that runs a function somewhere else, kept at work on a rollout's shifts."""
