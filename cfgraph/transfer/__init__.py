"""Transfer: hierarchies into and out of the graph in bulk: Parquet and CSV streamed, neo4j-admin's import."""
