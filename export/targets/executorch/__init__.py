"""ExecuTorch: programs for XNNPACK."""
