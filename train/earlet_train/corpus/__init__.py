"""Collects human recordings and real synthesizers into a labelled corpus, on the user's machine."""
