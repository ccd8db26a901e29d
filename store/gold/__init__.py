"""Human labels that came after the corpus, and the calibrations that they give."""
