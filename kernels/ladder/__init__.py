"""The ladder: from nested loops to the speed of light on a CPU, one new idea per rung."""
