"""Passes over ONNX graphs: one file, one rewrite, with its rules, what it needs and what it leaves.

Every pass takes a graph and returns a new one; none changes what the graph computes beyond the
rounding that it names.
"""
