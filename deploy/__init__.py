"""Bundles on devices: kits to copy there, and what is known of the devices."""
