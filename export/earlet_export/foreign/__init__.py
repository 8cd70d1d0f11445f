"""Detectors that were not trained with earlet, wrapped into bundles with the same proof."""
