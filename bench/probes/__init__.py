"""Instruments: read bandwidth, memory, metadata of machine and GPU, and what broadcasting allocates.

May import `task`, `records`, `offline` and the root modules (`kernel`, `stats`, `atomic`, `formatting`).
Read `read_bandwidth.py` first: the bandwidth bound.
"""
