"""The harness: what a kernel is, the exact answer, verification, the clock, records, analysis and the report."""
