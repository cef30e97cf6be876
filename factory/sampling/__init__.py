"""Drawing samples within a budget: what is owed, who may spend what, and what was spent."""
