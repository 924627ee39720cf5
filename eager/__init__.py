"""Generators and graphs as they run in PyTorch itself, frames in, frames out."""
