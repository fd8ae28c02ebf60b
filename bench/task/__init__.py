"""The computation: the digits as a problem with its exact answer, the scopes that are timed, and verification.

May import `data`, and of bench/ `kernel`, `stats`, `files` and `formatting`.
Begin with `problem.py`; `oracle.py` has the exact answer, `scopes.py` what one call contains.
"""
