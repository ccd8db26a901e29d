"""How fast is everything on a GPU?"""
