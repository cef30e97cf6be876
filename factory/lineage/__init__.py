"""Why a row is in or out of a release: its lineage, and every reason in words."""
