"""Test doubles that ship with the engine: a job that needs no model, faults on demand, and small architectures."""
