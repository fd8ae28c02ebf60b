"""The kernels: one per file, each complete in itself. Repetition between them is intended.

May import array libraries; never `bench`, `data` or another kernel.
Begin with `python_loops.py`, the reference of every speedup.
"""
