"""mame: the tiny bilingual model of this kit, from corpus to GGUF.

Read the files in this order: `corpus` → `tokenizer` → `chat` → `model` → `train` → `evaluate` →
`export`. It knows nothing of the server, the lessons or the command line.
"""
