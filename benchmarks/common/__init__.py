"""What all benchmarks share: figures, goals, tables, charts, the machine."""
