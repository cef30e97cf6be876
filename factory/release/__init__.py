"""Building a release: its Parquet files, manifest and card."""
