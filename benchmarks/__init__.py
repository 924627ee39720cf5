"""Bundle -> latency and drift, measured."""
