"""What do real reviews say?"""
