"""Is distilling worth it, against as many labels again? Arms of one experiment → table, statistics and plots."""
