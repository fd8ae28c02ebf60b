"""Recording on a machine without a network: pack here, record there. See CONTRIBUTING.md.

May import `data`, and of bench/ `kernel`. Begin with `record.py`, which runs on the other machine.
"""
