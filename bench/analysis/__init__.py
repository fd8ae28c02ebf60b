"""Records to numbers: speedup, summary, checklist, claims, crossover, ladder and comparison.

May import `records` and the root modules (`kernel`, `stats`, `atomic`, `formatting`); never `runner` or `probes`.
Begin with `speedup.py`: what a ratio of times is, and how sure it is.
"""
