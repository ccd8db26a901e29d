"""How fast, how exact and how frugal is labelling?"""
