"""The ladder: kernels from nested loops to the bandwidth bound, each with one new idea."""
