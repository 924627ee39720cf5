"""A generator as Core ML's mlprogram: pictures in, pictures out, in three precisions."""
