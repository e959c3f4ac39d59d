"""The guided set-up: a step a page, from two keys to a running sync.

A draft rule holds what was decided so far.
"""
