# earlet: `make demo` shows the whole road on real speech, `make test` proves that it works here.
# Every target makes its own set-up in .venv; nothing else on the machine is touched.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
EARLET := .venv/bin/earlet
PYTHON := .venv/bin/python
DEMO ?= build/demo
# One process a core, each with a share of the files; torch's threads sleep while they wait.
TESTS := OMP_WAIT_POLICY=PASSIVE $(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: help setup test test-slow check lint format demo frontends augmentations systems foreign streaming events export-all lengths arm clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## make .venv with pinned packages (nothing to do the second time)
	@.ci/setup

test: setup  ## the tests that need neither hours nor engines
	$(TESTS)

test-slow: setup  ## the tests that need real engines and real corpora (downloads about 770 MB once)
	$(PYTHON) -m pytest -m slow

check: lint test  ## format, lint, types, import contracts, tests

lint: setup  ## format, lint, types, import contracts
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

format: setup  ## let ruff write the format
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

# The demo, one command a stage. A stage whose result is there is not run again.

demo: $(DEMO)/bundle/manifest.json  ## corpus, training, export, proof, benchmark, verdicts
	$(EARLET) verify $(DEMO)/bundle
	$(EARLET) bench $(DEMO)/bundle default --original $(DEMO)/run --data $(DEMO)/corpus \
		--results $(DEMO)/results --picture $(DEMO)/latency.png
	@echo; echo "One human and one synthetic recording of the eval split, in this order:"
	$(EARLET) detect --model $(DEMO)/bundle \
		$$(for key in bonafide spoof; do awk -v root=$(DEMO)/corpus -v key=$$key \
			'$$5 == key {print root "/earlet_eval/flac/" $$2 ".flac"; exit}' \
			$(DEMO)/corpus/earlet_cm_protocols/earlet.cm.eval.trl.txt; done)
	@echo; echo "Look at:  $(DEMO)/run/learning_curve.png  $(DEMO)/latency.png" \
		" $(DEMO)/bundle/report.md"

$(DEMO)/corpus/corpus.json: | setup
	$(EARLET) corpus build --size demo --out $(DEMO)/corpus
	$(EARLET) corpus check $(DEMO)/corpus

$(DEMO)/run/run.json: $(DEMO)/corpus/corpus.json
	$(EARLET) train demo --corpus $(DEMO)/corpus --out $(DEMO)/run --resume

$(DEMO)/bundle/manifest.json: $(DEMO)/run/run.json
	$(EARLET) export $(DEMO)/run --data $(DEMO)/corpus --out $(DEMO)/bundle --force

augmentations: $(DEMO)/corpus/corpus.json  ## a picture of what every augmentation does, before and after
	$(PYTHON) -m earlet_train.augmentations.show --data $(DEMO)/corpus --out build/augmentations.png

frontends: setup  ## features against their definitions and ONNX, on speech (DATA=corpus)
	PYTHONPATH=tests $(PYTHON) -m parity.frontends --data $(or $(DATA),$(DEMO)/corpus)

systems: $(DEMO)/corpus/corpus.json  ## every recipe learns, exports and quantizes for a moment: one table
	$(EARLET) study systems --corpus $(DEMO)/corpus --out build/systems
	cp build/systems/systems.md benchmarks/results/systems.md

# Where a corpus lies, real speech is heard; otherwise the golden signals, and the page says so.
SPEECH = $(or $(DATA),$(wildcard $(DEMO)/corpus))

streaming: setup  ## streams against windows: equality, cost, 64 at once, soak; which recipes can (BUNDLE=...)
	@mkdir -p build/streaming
	$(EARLET) bench $(or $(BUNDLE),default) --stream --soak $(or $(SOAK),10) $(foreach one,$(SPEECH),--data $(one)) \
		--markdown > build/streaming/bench.md
	$(EARLET) study streaming --out build/streaming $(foreach one,$(SPEECH),--data $(one))
	(cat build/streaming/bench.md; echo; cat build/streaming/streaming.md) > benchmarks/results/streaming.md

# Calls in half of which the voice turns synthetic half-way: mixed once (remove them to mix anew),
# six or seven for each person. What the shipped policy was tuned on is the calls of dev.
CALLS := build/events/calls

events: setup  ## alarms on hours of calls: how often false, how soon right (DATA=corpus; BUNDLE=...)
	@test -n "$(DATA)" || { echo "make events: give the corpus that calls are to be mixed from," \
		"DATA=corpus (make one: earlet corpus build --size standard --out corpus)" >&2; exit 2; }
	test -e $(CALLS)/dev || $(EARLET) corpus long $(DATA) --split dev --minutes 5 --count 60 --out $(CALLS)/dev
	test -e $(CALLS)/eval || $(EARLET) corpus long $(DATA) --split eval --minutes 5 --count 72 --out $(CALLS)/eval
	$(EARLET) events $(or $(BUNDLE),default) --data $(CALLS)/eval --data $(CALLS)/dev --attacks --corpus $(DATA) \
		--markdown --picture build/events/events.png > build/events/events.md
	cp build/events/events.md build/events/events.png benchmarks/results/

export-all: setup  ## every trained run (RUNS=folder) through the export: one page, rows kept
	$(EARLET) study exports --runs $(or $(RUNS),build) --out benchmarks/results/exports \
		$(foreach corpus,$(DATA),--corpus $(corpus))

lengths: setup  ## which recipes' graphs can take any length, tried and proven: one table
	$(EARLET) study lengths --out build/lengths
	cp build/lengths/lengths.md benchmarks/results/lengths.md

foreign: $(DEMO)/corpus/corpus.json  ## three public models adopted: downloaded, wrapped, proven, quantized
	PYTHONPATH=tests $(PYTHON) -m foreign.adopt --data $(or $(DATA),$(DEMO)/corpus) --out build/foreign

arm: setup  ## the same file on emulated Haswell, Cortex-A72 and -A76 (INSTALL=1 fetches qemu; BUNDLE=...)
	PYTHONPATH=tests $(PYTHON) -m arm.run $(foreach one,$(BUNDLE),--bundle $(one)) \
		$(if $(INSTALL),--install)

clean:  ## remove what make made, but not the download cache
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
