"""What is noted in the folder of a model beside its weights: what it learned, from which columns; its model card."""
