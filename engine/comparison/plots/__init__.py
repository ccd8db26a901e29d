"""An experiment's results → plots: of its arms, of their differences, of what a label is worth."""
