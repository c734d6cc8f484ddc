PYTHON := $(shell sh -c 'command -v python3.11 || command -v python3.12 || echo python3')
BIN := .venv/bin
DEMO := demo
BENCH := runs/benchmark
BENCHMARK := TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python benchmarks

.PHONY: help setup demo test test-fast fuzz kills bench lint format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/ready ## install the requirements and the project into .venv (some 2 GB, once)

# wheels only: no compiler and no system package is needed
.venv/ready: requirements.txt pyproject.toml
	@echo "installing into .venv (some 2 GB, a few minutes; only once)"
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 12) else "Python 3.11 or 3.12 is needed; make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --only-binary :all: -r requirements.txt
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch .venv/ready

demo: setup ## an image reconstructed, then the whole chain on 200 synthetic objects, from meshes to a report
	$(BIN)/python eval/reconstruct.py examples/table.png --out $(DEMO)/first
	$(BIN)/python preprocessing/make_shapes.py --out $(DEMO)/meshes --per_category 50 --seed 7 --categories car,chair,guitar,table
	$(BIN)/python preprocessing/render_views.py --meshes $(DEMO)/meshes --out $(DEMO)/raw --jobs 2 --views 6 --azimuth random \
		--elevation -10 60 --distance auto 1 1.3 --focal 0.7 2.5 --light random
	$(BIN)/python preprocessing/gen_db.py --raw $(DEMO)/raw --out $(DEMO)/db --jobs 2
	$(BIN)/python train/train_sdf.py --db $(DEMO)/db --log_dir $(DEMO)/run --restore_model models/pretrained/field \
		--learning_rate 2e-4 --warm_up 20 --averaging 0.98 --max_minutes 4
	$(BIN)/python eval/eval.py --restore_model $(DEMO)/run --iso 0.004 --views 0,3 --limit 2 --create_obj \
		--metrics volume_iou,f_score_2,psnr,iou
	$(BIN)/python eval/report.py $(DEMO)/run
	@txt=$$(ls $(DEMO)/run/eval_test/predictions/chair/*/00_pred.txt | head -1) && \
	$(BIN)/python eval/to_mesh.py $$txt --out $(DEMO)/chair.glb --iso 0.004
	@echo
	@echo "image    $(DEMO)/first/table (mesh.glb, turntable.gif)"
	@echo "figure   $(DEMO)/run/eval_test/figure.png"
	@echo "table    $(DEMO)/run/eval_test/results.json (printed above)"
	@echo "report   $(DEMO)/run/eval_test/report.html"
	@echo "meshes   $(DEMO)/chair.glb and $(DEMO)/run/eval_test/predictions/<category>/<object>/<view>_mesh.obj"

# one process more than processors, since some tests wait for others that they start
test: setup ## all tests, on several processes
	$(BIN)/python -m pytest -q -n $$($(BIN)/python -c "import os; print(min(os.cpu_count() + 1, 8))") -m ""

test-fast: setup ## the tests that take at most a few seconds each
	$(BIN)/python -m pytest -q -n 2

fuzz: setup ## 10,000 changed files and command lines into every reader; a table of what becomes of them
	$(BIN)/python -m tests.fuzz.run --inputs 10000 --seed 0 --keep runs/fuzz

kills: setup ## commands on tiny data killed 100 times at random moments; their results against uninterrupted runs
	$(BIN)/python -m tests.kills --kills 100 --seed 0 --work runs/kills

bench: setup ## all benchmarks; fits a network first, once
	mkdir -p $(BENCH)
	$(BENCHMARK)/fitted.py
	$(BENCHMARK)/query.py --resolution 64 --out $(BENCH)/query_64.json
	$(BENCHMARK)/query.py --resolution 64 --bfloat16 --out $(BENCH)/query_64_bfloat16.json
	$(BENCHMARK)/query.py --resolution 256 --out $(BENCH)/query_256.json
	$(BENCHMARK)/query.py --resolution 256 --bfloat16 --out $(BENCH)/query_256_bfloat16.json
	$(BENCHMARK)/growth.py --out $(BENCH)/growth.json
	$(BENCHMARK)/reconstruct.py --out $(BENCH)/reconstruct.json
	$(BENCHMARK)/train_step.py --out $(BENCH)/train_step.json
	$(BENCHMARK)/train_step.py --preset plus --out $(BENCH)/train_step_plus.json
	$(BENCHMARK)/input.py --out $(BENCH)/input.json
	$(BENCHMARK)/preprocess.py --out $(BENCH)/preprocess.json
	$(BENCHMARK)/heavy.py --out $(BENCH)/heavy.json
	@echo "results  $(BENCH)/*.json"

lint: setup ## ruff's rules and format, mypy's types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## sort the imports and format the code
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

clean: ## delete what make demo made
	rm -rf $(DEMO)
