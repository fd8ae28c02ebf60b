"""The kernels: one per file, each complete in itself. Repetition between them is intended."""
