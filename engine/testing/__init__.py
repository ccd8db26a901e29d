"""Test doubles that ship with the engine: a job that needs no model, and faults on demand."""
