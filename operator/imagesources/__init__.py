"""Kubernetes operator for Cycle image sources."""
