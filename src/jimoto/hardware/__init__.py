"""Will it run on my machine? Predict (`fit`), try without weights (`trial`), refuse in time.

Pure functions over tabulated or measured facts; only `machine` and `trial` touch the computer.
"""
