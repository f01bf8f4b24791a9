"""Test the diagnosis on programs whose authors had seen none of its rules."""
