"""Input files that are elsewhere: `mirror.fetch` brings the files of a URL onto this machine."""
