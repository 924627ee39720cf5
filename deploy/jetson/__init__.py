"""A kit for NVIDIA's Jetsons, and what takes its engines into the bundle on the device.

``engines`` runs on the device, where there is no torch.
"""

MARK = "pleinair.service"  # identifies a folder as a kit
