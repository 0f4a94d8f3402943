"""Mutated inputs over every reader of files: whatever comes is read or refused in a line, soon, and within its memory."""
