"""Turns an offline network into its streaming twin, from the same weights: what is new is computed,
what was computed before is kept in states.

The work is done on the graph that was proven, not on the torch modules, so it is the same for fp32
and int8, for our networks and for anybody's. Each operator says which steps of its input a step of
its output is made from (`rules`); from that follows how far each tensor lags behind the sound and
how much of it must be kept (`plan`); the graph is rewritten accordingly (`weave`). The frontend
counts as one operator, a very wide one (`frontend`).

From the first operator on that needs the whole window (a mean over time, attention, a layer that
reads all moments at once) the graph stays as it was: its input is kept for the length of a window,
and it is computed anew for each. So the answers are those of the offline graph, window by window.
"""
