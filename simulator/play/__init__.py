"""``wa-sim play``: a page on loopback, with the real engine behind it.

The page holds what is played as plain values, in the grammar of scenario files (``document.py``).
It sends them whole with each action. So the server keeps nothing, undo is the page's own affair,
and whatever is played is a scenario file already.
"""
