"""Ids of rows: those that come twice, those that a label may mean."""
