"""Builders that turn what authors write into what learners open; no learner runs them."""
