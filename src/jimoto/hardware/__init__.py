"""Will it run on my machine? Predict (`fit`), try without weights (`trial`), refuse in time.

Pure functions over tabulated or measured facts; only `machine` and `trial` touch the computer.
"""

# How the threads of an engine's process wait for each other: they spin for some microseconds, then
# sleep. Spinning on made decoding 50 times slower where the cores were busy; not spinning at all
# is slower on both. 0.5B shape, 2 cores, 2026-11-22, tokens/s quiet and busy: no spin 21 and 7,
# 5,000 turns 24 and 11, 100,000 turns 23 and 0.4.
WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "5000"}
