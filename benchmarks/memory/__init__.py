"""How much memory does a model need on a CPU?"""
