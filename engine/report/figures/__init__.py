"""Answers about a store → plots of a report."""
