"""The commands of the command line, and how what they show is laid out. Only these and `cli.py` print."""
