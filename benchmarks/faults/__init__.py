"""Does what is killed or broken end as if it had not been?"""
