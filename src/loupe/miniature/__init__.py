"""The small parts and the tuned miniature that the package carries, and how a run becomes one of them."""
