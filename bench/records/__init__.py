"""The files in results/: their model, reader and writer, and one table of every metadata key.

May import only the root modules (`kernel`, `stats`, `atomic`, `formatting`). Begin with `model.py`.
"""
