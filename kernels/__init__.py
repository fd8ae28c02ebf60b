"""The exhibits: one kernel per file, each complete in itself. Repetition between them is intended."""
