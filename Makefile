# "make" alone lists the targets.
GO        ?= go
BIN       := bin/vf2prep
DEMO      ?= vf2prep-demo
FUZZTIME  ?= 20s
export CGO_ENABLED = 0

.PHONY: help build demo test lint generate fuzz cross pipeline clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

clean: ## remove what make built
	rm -rf bin $(DEMO)
