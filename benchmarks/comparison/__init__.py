"""Do the intervals of `engine compare` hold what they promise?"""
