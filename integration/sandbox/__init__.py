"""Both vendors' APIs as a separate local server: first look, tests, demo.

The product never imports it.
"""
