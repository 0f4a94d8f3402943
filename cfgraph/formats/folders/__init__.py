"""Fields as folders of Parquet files, without a database: places, plans and manifests, sheets, readers."""
