"""ncnn: networks by pnnx."""
