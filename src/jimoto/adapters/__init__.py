"""Adapters: tensors and names of one file format into another. No training, no serving."""
