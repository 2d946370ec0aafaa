# The parts that are made with Go: each is built once, and again when what it is made from changes.

GO ?= go
GO_BIN := $(abspath $(CACHE))/go/bin
BUILDER_VERSION := v0.158.0
# Prometheus 3.14, and Loki as a module of ours, since it needs replacements that only a go.mod can carry.
PROMETHEUS_VERSION := v0.314.0
COLLECTOR_KEY := $(shell cksum < collector/manifest.yaml | cut -d ' ' -f 1)
COLLECTOR := $(CACHE)/collector/otelcol-agents
IMAGE ?= otelcol-agents:dev

.PHONY: collector prometheus collector-image stack load

collector: $(CACHE)/collector/.built-$(COLLECTOR_KEY) ## Build the Collector with the components that we use

prometheus: $(GO_BIN)/.prometheus-$(PROMETHEUS_VERSION) ## Build Prometheus 3, of which Debian has only 2

collector-image: collector ## Put the Collector into an image, from nothing but itself
	@command -v docker >/dev/null || { \
		echo "A container engine is missing; on Debian and Ubuntu: apt-get install docker.io" >&2; exit 1; }
	cp $(COLLECTOR) collector/Dockerfile $(CACHE)/collector/image/ 2>/dev/null || { \
		mkdir -p $(CACHE)/collector/image && cp $(COLLECTOR) collector/Dockerfile $(CACHE)/collector/image/; }
	docker build --quiet --tag $(IMAGE) $(CACHE)/collector/image

stack: collector prometheus $(VENV)/.demo-$(KEY) ## Run Collector, Prometheus and the example, and query what arrived
	@$(BIN)/python collector/stack.py $(ARGS)

load: collector $(VENV)/.test-$(KEY) ## Measure the Collector beside one that does nothing; minutes
	@$(BIN)/python collector/load.py $(ARGS)

define need_go
@command -v $(GO) >/dev/null || { \
	echo "'$(GO)' is missing, and $(1) is built with it: Go 1.26 or newer, from https://go.dev/dl" >&2; \
	echo "Say where it is: make GO=/usr/local/go/bin/go $(firstword $(MAKECMDGOALS))" >&2; exit 1; }
endef

# The stamp is named after the content of the manifest. The modules are the slow part, and Go keeps them.
$(CACHE)/collector/.built-$(COLLECTOR_KEY): $(GO_BIN)/.builder-$(BUILDER_VERSION)
	$(call need_go,the Collector)
	@echo "Building the Collector; this takes minutes, and happens once ..."
	@mkdir -p $(CACHE)/collector
	cd collector && CGO_ENABLED=0 $(GO_BIN)/builder --config manifest.yaml
	@cp $(CACHE)/collector/build/otelcol-agents $(COLLECTOR).new && mv $(COLLECTOR).new $(COLLECTOR)
	@rm -f $(CACHE)/collector/.built-* && touch $@

$(GO_BIN)/.builder-$(BUILDER_VERSION):
	$(call need_go,the Collector)
	GOBIN=$(GO_BIN) $(GO) install go.opentelemetry.io/collector/cmd/builder@$(BUILDER_VERSION)
	@touch $@

# `go install package@version` refuses modules with replacements, so both are built from a module of their own.
$(GO_BIN)/.prometheus-$(PROMETHEUS_VERSION):
	$(call need_go,Prometheus 3)
	@echo "Building Prometheus; this takes minutes, and happens once ..."
	@mkdir -p $(CACHE)/go/prometheus
	cd $(CACHE)/go/prometheus && { test -f go.mod || $(GO) mod init prometheus; } \
		&& $(GO) get github.com/prometheus/prometheus/cmd/prometheus@$(PROMETHEUS_VERSION) \
		&& CGO_ENABLED=0 $(GO) build -ldflags "-s -w" -o $(GO_BIN)/ github.com/prometheus/prometheus/cmd/prometheus \
			github.com/prometheus/prometheus/cmd/promtool
	@touch $@
