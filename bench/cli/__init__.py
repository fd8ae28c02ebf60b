"""The commands of python -m bench, one file for each, with the options that they share.

May import every folder except `offline`; only `conftest.py` imports it.
Begin with `check.py`, the shortest command that does real work.
"""
