"""What trainings are asked to do, and the two kinds of them: on gold labels and on soft ones."""
