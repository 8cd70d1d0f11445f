"""Turns a trained network into a bundle that runs without PyTorch, and proves that it is equal.

Read in this order: `trace` (two graphs), `quantize` and `sensitivity` (int8, and what stays float),
`join` (one graph), `answers` and `prove` (the ladder torch, fp32, int8), `pack` and `write` (the
folder); `export` is the whole way.
"""
