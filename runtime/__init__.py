"""Bundle + frames -> painted frames (never torch)."""
