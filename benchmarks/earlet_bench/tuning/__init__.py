"""Decisions over time, chosen and judged on long recordings."""
