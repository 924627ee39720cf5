"""TensorRT: its graph, engines where a library can build them, and lines for trtexec."""
