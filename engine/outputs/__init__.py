"""Where a user's output goes: a file or a folder of this machine, or one behind a URL. It appears whole or not at all.

`file` is for one file, `whole_folder` and `folder` for a folder that appears at once and for one whose files do, and
`work` for the folder in which a long output is made. Knows nothing of what is written.
"""
