"""Which samples are kept: paths, duplicates and choice; every sample is marked, none is deleted."""
