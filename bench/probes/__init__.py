"""Instruments: read bandwidth, memory, facts about machine and GPU, and what broadcasting allocates.

May import `task`, `records` and `offline`. Read `read_bandwidth.py` first: the bandwidth bound.
"""
