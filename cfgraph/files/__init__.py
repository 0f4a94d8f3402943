"""Files that are no hierarchies: arrays, tables, names, labels; and how a file is written whole or not at all."""
