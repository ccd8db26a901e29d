"""Does a store stay quick when it is large?"""
