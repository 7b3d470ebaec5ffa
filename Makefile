# "make" alone lists the targets.
GO        ?= go
BIN       := bin/vf2prep
DEMO      ?= vf2prep-demo
FUZZTIME  ?= 20s
BENCH     := /usr/bin/python3
PYTHON    ?= $(firstword $(wildcard /usr/bin/python3) python3)
export PYTHON
export DATA ROUNDS REPEAT SECONDS_EACH ONLY CONFIGS SCRATCH LOCK IMAGES MEMORY IDENTITY_META
export CGO_ENABLED = 0

.PHONY: help build demo test lint generate fuzz cross pipeline test-browser test-python interop clean bench-setup bench-go bench-cache bench-memory bench-loader bench-export bench-manifest bench-train bench-duplicates

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/vf2prep, one static binary
	$(GO) build -trimpath -o $(BIN) ./cmd/vf2prep

demo: build ## draw a small VGGFace2 and do the whole job on it, in vf2prep-demo/
	$(BIN) demo --out $(DEMO)

test: ## run every quick test
	$(GO) vet ./...
	$(GO) test ./...

lint: bin/staticcheck ## gofmt, go vet and the pinned staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	bin/staticcheck ./...

bin/staticcheck: tools/go.mod tools/go.sum
	$(GO) build -C tools -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck

generate: ## write the generated files anew
	$(GO) generate ./...

fuzz: ## fuzz every parser for FUZZTIME (20s) each
	./scripts/fuzz.sh $(FUZZTIME)

cross: ## build for the other systems
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/vf2prep
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/vf2prep
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/vf2prep

pipeline: build ## the main job on real faces, ../shared/data/vf2real or VF2PREP_DATA
	./scripts/pipeline.sh $(BIN)

test-browser: build ## open a report in headless Chromium, as a phone and as a desktop
	./scripts/browser.sh $(BIN)

test-python: build ## the tests of python/, the reader for PyTorch and NumPy
	./scripts/test_python.sh $(BIN)

interop: ## what vf2prep writes, opened by the programs that it is written for
	$(PYTHON) interop/run.py

bench-setup: ## install what the benchmarks compare with (Debian, Ubuntu); see bench/README.md
	./bench/setup.sh

bench-cache: build bench-go ## photos to samples, against OpenCV, Pillow, libjpeg-turbo and others
	$(BENCH) bench/cache.py

bench-memory: build ## peak memory of a cache build, 3,000 and 300,000 images
	$(BENCH) bench/memory.py

bench-loader: build bench-go ## shuffled batches, against WebDataset, Streaming, FFCV and others
	$(BENCH) bench/loader.py

bench-export: build ## samples to other formats, against their own writers in Python
	$(BENCH) bench/export.py

bench-manifest: build ## a manifest of full size, against pandas, DuckDB and polars
	$(BENCH) bench/manifest.py

bench-train: bench-go ## training steps, against PyTorch and Keras
	$(BENCH) bench/train.py

bench-duplicates: ## a million perceptual hashes with planted pairs: time, memory, recall
	VF2PREP_HASHES=1000000 $(GO) test ./curate -count=1 -v -run TestPlantedPairs

bench-go: # the programs in Go and C that the benchmarks start
	$(GO) build -trimpath -o bin/bench-go ./bench/gopeer
	$(CC) -O3 -Wall -o bin/bench-tjdec bench/tjdec.c -lturbojpeg

clean: ## remove what make built
	rm -rf bin $(DEMO)
