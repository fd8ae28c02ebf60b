"""The ladder: kernels from nested loops to the bandwidth bound, each with one new idea.

May import array libraries and compilers; never `bench`, `data` or another kernel.
Begin with `python_bytes.py`, and compare it with `kernels/python_loops.py`, the kernel that it follows.
"""
