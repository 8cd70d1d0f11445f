"""Makes detectors: frontends, models, corpora, recipes and the loop that trains them."""
