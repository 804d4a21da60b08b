"""The parts of the benchmark: data, servers, measuring, contenders, tables. Standard library
only."""
