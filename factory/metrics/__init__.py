"""What a store's verdicts say in numbers: estimators, intervals, measures and requirements."""
