"""Recording on a machine without a network: pack here, record there. CONTRIBUTING.md tells how.

May import `data`, and of bench/ `kernel` and `files`. Begin with `record.py`, which runs on the other machine.
"""
