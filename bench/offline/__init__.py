"""Recording on another machine: `pack` here, `record` there. CONTRIBUTING.md tells how."""
