# The only list of commands. `make` alone prints it.

PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
RUN := $(BIN)/python
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PIPELINE := $(BIN)/dynamodb-pipeline
MVN := mvn -B -ntp -q -f pom.xml
UV_VERSION := 0.13.9

# Variables of `make export`, `make import`, `make verify`, `make fuzz` and `make test-aws`. They go on untouched, in the
# environment of the one program that reads them (.ci/pipeline_verb.py, tests/fuzz, tests/smoke): no shell sees a value,
# and $(value ...) keeps make from expanding it.
VARIABLES := TABLES TABLE OUTPUT INPUT PERCENT REGION LOGS CONFIG LOCAL ARGS SECONDS TARGET SEED NUMBER BUCKET SUBNET ROLES CONFIRM
unexport $(VARIABLES)
$(foreach name,$(VARIABLES),$(eval export PIPELINE_$(name) = $$(value $(name))))
VERB = @$(RUN) .ci/pipeline_verb.py
INSTALLED := .build/tools .build/package .build/jars-connector .build/jars-s3a .build/jars-yarn .build/node .build/awscli
needs = $(if $(value LOCAL),$(INSTALLED),.build/package)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

##@ Start here

.PHONY: help
help: ## Print this list
	@awk -f .ci/help.awk $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(INSTALLED) ## Install everything into this folder (once, then quick)
	@echo "installed; \`make demo\` shows it at work, \`make test\` proves it"

.PHONY: demo
demo: setup ## Export and import a table on this machine, and show what happened
	@$(RUN) -m sandbox.demo

##@ Work with tables

.PHONY: export
export: $(needs) ## Export tables: TABLES="Forum Thread" OUTPUT=s3://bucket/folder [PERCENT=25] [REGION=] [LOGS=] [CONFIG=m5] [LOCAL=1] [ARGS=...]
	$(VERB) export

.PHONY: import
import: $(needs) ## Import into a table: TABLE=Forum INPUT=s3://bucket/folder [PERCENT=25] [REGION=] [LOGS=] [CONFIG=m5] [LOCAL=1] [ARGS=...]
	$(VERB) import

.PHONY: verify
verify: $(needs) ## Check an export: INPUT=s3://bucket/folder [TABLE=Forum to compare with] [PERCENT=25] [LOCAL=1]
	$(VERB) verify

.PHONY: bundle
bundle: .build/package ## Build what spark-submit gets into dist/
	@$(PIPELINE) bundle

##@ Test

.PHONY: test
test: setup lint test-unit ## Everything the CI runs: checks, unit tests, then Spark, sandbox and faults in short form
	$(RUN) -m pytest tests --ignore=tests/unit -m "not slow" -n 3 --dist loadfile

.PHONY: test-unit
test-unit: .build/package ## Tests without Java, servers or waiting
	$(RUN) -m pytest tests/unit -m "not slow" -n 2 --dist worksteal

.PHONY: test-slow
test-slow: setup ## The tests the CI leaves out: real connector behind the relay, steps killed on the sandbox EMR
	$(RUN) -m pytest tests --ignore=tests/faults -m slow

.PHONY: test-aws
test-aws: .build/package ## The real thing on your account: REGION= BUCKET= [CONFIG=m5] [SUBNET=] [ROLES=service,export,import]; says the price, CONFIRM=yes
	@$(RUN) -m tests.smoke

.PHONY: lint
lint: .build/package ## Style, types, and nothing that Python 3.9 (the nodes') has not
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --quiet --no-tips --violations -t=3.9- dynamodb_pipeline jobs

.PHONY: format
format: .build/package ## Write style as `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: coverage
coverage: .build/package ## Which lines the unit tests run, into .build/coverage
	$(BIN)/coverage run -m pytest tests/unit -q
	$(BIN)/coverage html && $(BIN)/coverage report --skip-covered --sort=cover

.PHONY: faults
faults: setup ## Every fault run, the long ones too
	$(RUN) -m pytest tests/faults

.PHONY: fuzz
fuzz: .build/fuzz-tools ## Hostile input without end, coverage-guided: [SECONDS=300] [TARGET=protocol] [SEED=] [INPUT=file to try again]
	@$(RUN) -m tests.fuzz

.PHONY: bench
bench: setup ## Measure speed and rate against the other tools; writes benchmarks/results
	$(RUN) -m benchmarks

.PHONY: bench-ten-billion
bench-ten-billion: .build/tools ## Rehearse the parts that grow with a table of 10 TB; some minutes
	$(RUN) -m benchmarks --only ten-billion --name ten-billion

.PHONY: bench-quick
bench-quick: setup ## The same on little data, to see that it runs
	$(RUN) -m benchmarks --quick

##@ Sandbox: DynamoDB and S3 on this machine

.PHONY: sandbox-up
sandbox-up: setup ## Start it in the background; then: eval "$$(.venv/bin/python -m sandbox env)"
	@$(RUN) -m sandbox up

.PHONY: sandbox-down
sandbox-down: ## Stop it
	@$(RUN) -m sandbox down

##@ Upkeep

.PHONY: roles
roles: .build/package ## Render policies/roles.json anew, after a policy or the template changed
	@cd policies && ../$(PIPELINE) policy roles-template --bucket amzn-s3-demo-bucket --prefix exports --region us-east-1 --account 123456789012 > ../.build/roles.json
	@$(RUN) -m json.tool --indent 2 .build/roles.json policies/roles.json

.PHONY: schedules
schedules: .build/package ## Render the examples in schedules anew, after a schedule's template or request changed
	@$(RUN) -m tests.unit.emr.documents.example_schedules

.PHONY: aws-rules
aws-rules: .build/package ## Render docs/aws-rules.md anew, after sandbox/emr/aws_rules.py changed
	@$(RUN) .ci/aws_rules_page.py > .build/aws-rules.md && cp .build/aws-rules.md docs/aws-rules.md

.PHONY: graph
graph: .build/package ## Draw the packages anew in docs/architecture.md
	@$(RUN) -m tests.unit.import_graph

.PHONY: options-page
options-page: .build/package ## Render docs/options.md anew, after an option changed
	@$(RUN) .ci/options_page.py > .build/options.md && cp .build/options.md docs/options.md

.PHONY: docs
docs: .build/docs/packages ## Build the site of docs/ with search into .build/site, strictly and without the network
	@NO_MKDOCS_2_WARNING=1 .build/docs/bin/mkdocs build --quiet
	@echo "the site is in .build/site; to search in it: python3 -m http.server -b 127.0.0.1 -d .build/site"

.PHONY: release
release: .build/package ## Build wheel, bundle zip and checksums into dist/, from what is committed and in the changelog
	@$(RUN) .ci/release.py

.PHONY: requirements
requirements: .build/tools ## Pin anew what requirements/*.in allow
	@$(PYTHON) -m venv .build/uv && .build/uv/bin/pip --quiet install uv==$(UV_VERSION)
	.build/uv/bin/uv pip compile -q --no-header --no-emit-index-url --generate-hashes --upgrade \
	  --python-version 3.9 requirements/node.in -o requirements/node.txt
	.build/uv/bin/uv pip compile -q --no-header --no-emit-index-url --generate-hashes --upgrade --universal \
	  --python-version 3.11 requirements/dev.in -o requirements/dev.txt
	.build/uv/bin/uv pip compile -q --no-header --no-emit-index-url --generate-hashes --upgrade --universal \
	  --python-version 3.11 requirements/awscli.in -o requirements/awscli.txt
	.build/uv/bin/uv pip compile -q --no-header --no-emit-index-url --generate-hashes --upgrade \
	  --python-version 3.11 requirements/fuzz.in -o requirements/fuzz.txt
	.build/uv/bin/uv pip compile -q --no-header --no-emit-index-url --generate-hashes --upgrade --universal \
	  --python-version 3.11 requirements/docs.in -o requirements/docs.txt

.PHONY: bundle-pins
bundle-pins: .build/package ## Record what the bundle carries anew, after requirements/node.txt changed
	@$(RUN) .ci/bundle_pins.py > .build/node.sha256 && cp .build/node.sha256 requirements/node.sha256

.PHONY: jars-connector-4
jars-connector-4: .build/jars-connector-4 ## The 4.x connector, for compatibility trials

.PHONY: jars-checksums
jars-checksums: setup .build/jars-connector-4 ## Record the jars anew after pom.xml changed
	@$(RUN) -m sandbox.jars record

.PHONY: clean
clean: ## Stop the sandbox and remove everything that was installed or built here
	@if [ -x $(RUN) ]; then $(RUN) -m sandbox down --all; fi
	rm -rf .venv .build .sandbox dist jars sandbox/npm/node_modules *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

# What is installed. A stamp in .build/ is newer than what it was made from, so the second time is quick.

.build/tools: .ci/check-tools
	@mkdir -p .build
	@PYTHON='$(PYTHON)' .ci/check-tools
	@touch $@

.build/python: requirements/dev.txt .build/tools
	@echo "python: installing requirements/dev.txt into .venv (400 MB the first time)" >&2
	@$(RUN) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

.build/fuzz-tools: requirements/fuzz.txt .build/package
	@$(PIP) install --require-hashes -r requirements/fuzz.txt
	@touch $@

.build/package: pyproject.toml .build/python
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.build/docs/packages: requirements/docs.txt
	@echo "docs: installing requirements/docs.txt into .build/docs (170 MB the first time)"
	@$(PYTHON) -m venv --clear .build/docs
	@.build/docs/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements/docs.txt
	@touch $@

.build/jars-%: pom.xml sandbox/jars.sha256 .build/python
	@echo "jars: copying jars/$*" >&2
	@rm -rf jars/$*
	@$(MVN) -P $* -l .build/jars-$*.log dependency:copy-dependencies || { tail -n 20 .build/jars-$*.log >&2; exit 1; }
	@$(RUN) -m sandbox.jars check $*
	@touch $@

.build/awscli: requirements/awscli.txt .build/tools
	@echo "aws: installing the AWS CLI into .build/aws-cli, apart from everything else" >&2
	@$(PYTHON) -m venv --clear .build/aws-cli
	@.build/aws-cli/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements/awscli.txt
	@touch $@

.build/node: sandbox/npm/package-lock.json sandbox/npm/.npmrc .build/tools
	@echo "node: installing the DynamoDB emulator" >&2
	@cd sandbox/npm && npm ci --silent --no-progress
	@touch $@
