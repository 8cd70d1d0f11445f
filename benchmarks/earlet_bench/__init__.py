"""Measures detectors on the machine they run on: speed, memory, and whether the answers hold."""
