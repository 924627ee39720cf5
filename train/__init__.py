"""Data -> generator checkpoint (needs torch and torchvision)."""
