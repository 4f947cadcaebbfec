"""A faithful vCenter with entropyd behind every host: for dry runs, demos, tests and benchmarks."""
