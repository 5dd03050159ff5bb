"""The verbs of the command line, a module for each kind; `jimoto.cli` puts them together."""
