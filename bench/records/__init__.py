"""The files in results/: their model, reader and writer, and the metadata keys.

May import only the root modules (`kernel`, `stats`, `atomic`, `formatting`). Begin with `model.py`.
"""
