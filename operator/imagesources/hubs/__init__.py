"""Connections to hubs: credentials, call budget, inventory."""
