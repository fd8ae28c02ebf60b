"""The files in results/: their model, reader and writer, and one table of every metadata key.

May import of bench/ only `kernel`, `stats`, `files` and `formatting`. Begin with `model.py`.
"""
