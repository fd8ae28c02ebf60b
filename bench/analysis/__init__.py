"""Records to numbers: speedup, summary, checklist, claims, crossover, ladder and comparison.

May import `records`; never `runner` or `probes`.
Begin with `speedup.py`: what a ratio of times is, and how sure it is.
"""
