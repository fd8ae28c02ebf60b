"""The computation: a problem with its exact answer, the scopes that are timed, and verification.

May import `data` and the root modules (`kernel`, `stats`, `atomic`, `formatting`).
Read `problem.py` first; `oracle.py` has the exact answer, `scopes.py` what one call contains.
"""
