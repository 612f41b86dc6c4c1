"""One loop over stages: recipes as values, objectives, optimiser, runs that go on after a kill."""
