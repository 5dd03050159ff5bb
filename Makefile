# Each target calls one Python module in one line, so that Windows without make can run that line.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV := .venv/Scripts/python
else
VENV := .venv/bin/python
endif

.PHONY: help lab test notebooks slides mame mame-eval bench fuzz clean

help:
	@echo "make lab        install what is missing, start JupyterLab (LAB_ARGS=\"--no-browser --port 8899\")"
	@echo "make test       install what tests need, then run pytest and nbval"
	@echo "make notebooks  build notebooks/ and labs/ (en, ja) from their src, with outputs"
	@echo "make slides     turn slides/en and slides/ja into HTML, PDF and PPTX, in build/slides (needs Node.js)"
	@echo "make mame       train the tiny model from scratch, into build/mame; goes on where it was stopped"
	@echo "make mame-eval  print what the shipped model can do, measured"
	@echo "make bench      print how well memory and speed are predicted here, what server and adapters cost"
	@echo "make fuzz       100,000 odd requests to the embedded server, then 150 kills of it"
	@echo "make clean      remove the environment and everything built"

lab:
	$(PYTHON) src/jimoto/install.py lab $(LAB_ARGS)

test:
	$(PYTHON) src/jimoto/install.py test $(TEST_ARGS)

notebooks:
	$(PYTHON) src/jimoto/install.py run -m tools.notebooks build

slides:
	$(PYTHON) src/jimoto/install.py run -m tools.slides build

mame:
	$(PYTHON) src/jimoto/install.py run -m mame.train --steps 15000 --resume --threads 2 --compile

mame-eval:
	$(PYTHON) src/jimoto/install.py run -m mame.evaluate src/jimoto/data/mame.gguf --draws 5000

bench:
	$(PYTHON) src/jimoto/install.py run benchmarks/hardware.py
	$(PYTHON) src/jimoto/install.py run benchmarks/server.py
	$(PYTHON) src/jimoto/install.py run benchmarks/adapters.py
	$(PYTHON) src/jimoto/install.py run -m benchmarks.command

fuzz:
	$(PYTHON) src/jimoto/install.py run tests/daemon/fuzz.py
	$(PYTHON) src/jimoto/install.py run tests/daemon/crash.py

clean:
	rm -rf .venv build dist slides/node_modules .pytest_cache .hypothesis
