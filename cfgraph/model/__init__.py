"""The model: what a hierarchy is, as columns and values; numpy and pydantic, no input or output."""
