"""Stores on object stores: S3 and what speaks like it, Google Cloud Storage, Azure. Imported on their URLs alone."""
