"""The embedded server: Ollama's REST API over llama.cpp. Start: `python -m jimoto.daemon`."""
