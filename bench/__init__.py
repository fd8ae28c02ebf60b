"""The court: what a kernel is, the exact answer, the check, the clock, the record, the pictures."""
