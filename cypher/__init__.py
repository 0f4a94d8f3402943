"""Every Cypher statement of cfgraph, one operation a file; see README.md in this folder for the rules."""
