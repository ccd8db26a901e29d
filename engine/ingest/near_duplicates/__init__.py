"""Which texts are nearly the same as others, such as copies with another ending or a few words changed.

The similarity of two texts is the Jaccard index of their sets of three words in a row (Broder 1997). Candidates come
from MinHash and banding (Leskovec et al., Mining of Massive Datasets, §3.4) and are then compared exactly: what is
found is as similar as it must be, and of pairs that are, fewer than one in a thousand is missed. Where more than 64
texts share what makes them candidates, as of one template, a text is compared with the first 64 of them.
"""
