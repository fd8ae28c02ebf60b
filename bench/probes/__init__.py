"""Instruments: read bandwidth, memory, facts about machine and GPU, and what broadcasting allocates.

May import `task`, `records` and `offline`. Begin with `read_bandwidth.py`: the bandwidth bound.
"""
