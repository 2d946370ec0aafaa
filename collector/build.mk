# The parts that are made with Go: each is built once, and again when what it is made from changes.

GO ?= go
GO_BIN := $(abspath $(CACHE))/go/bin
COLLECTOR := $(CACHE)/collector/otelcol-agents
# Named after the content of the manifest.
COLLECTOR_STAMP := $(CACHE)/collector/.built-$(shell cksum < collector/manifest.yaml | cut -d ' ' -f 1)
IMAGE ?= otelcol-agents:dev
BUILDER_VERSION := v0.158.0
# Prometheus 3.14.
PROMETHEUS_VERSION := v0.314.0
KUSTOMIZE_VERSION := v5.8.1
LOKI_VERSION := v3.7.8

.PHONY: collector prometheus kustomize loki image stack load

collector: $(COLLECTOR_STAMP) ## Build the Collector with the components that we use

prometheus: $(GO_BIN)/.prometheus-$(PROMETHEUS_VERSION) ## Build Prometheus 3; Debian has 2

kustomize: $(GO_BIN)/.kustomize-$(KUSTOMIZE_VERSION) ## Build what renders the Kubernetes objects

loki: $(GO_BIN)/.loki-$(LOKI_VERSION) ## Build Loki 3, which Debian does not have

image: collector ## Put the Collector into a container image, from nothing but itself
	@command -v docker >/dev/null || { \
		echo "A container engine is missing; on Debian and Ubuntu: apt-get install docker.io" >&2; exit 1; }
	@rm -rf $(CACHE)/collector/image && mkdir -p $(CACHE)/collector/image/data
	@cp $(COLLECTOR) collector/Dockerfile /etc/ssl/certs/ca-certificates.crt $(CACHE)/collector/image/
	docker build --quiet --tag $(IMAGE) $(CACHE)/collector/image

stack: collector prometheus $(VENV)/.demo-$(KEY) ## Run Collector, Prometheus and the example; print what the boards show
	@$(BIN)/python collector/stack.py $(ARGS)

load: collector $(VENV)/.test-$(KEY) ## Measure the Collector beside one that does nothing; minutes
	@$(BIN)/python -m tests.collector.load $(ARGS)

define need_go
@command -v $(GO) >/dev/null || { \
	echo "'$(GO)' is missing, and $(1) is built with it: Go 1.26 or newer, from https://go.dev/dl" >&2; \
	echo "Say where it is: make GO=/usr/local/go/bin/go $(firstword $(MAKECMDGOALS))" >&2; exit 1; }
@echo "Building $(1) with $$($(GO) version); this takes minutes, and happens once ..."
endef

# In place only when it is whole: a test may be running the older one.
$(COLLECTOR_STAMP): $(GO_BIN)/.builder-$(BUILDER_VERSION)
	$(call need_go,the Collector)
	@mkdir -p $(CACHE)/collector
	cd collector && $(if $(findstring /,$(GO)),PATH="$(dir $(GO)):$$PATH") CGO_ENABLED=0 $(GO_BIN)/builder --config manifest.yaml
	@cp $(CACHE)/collector/build/otelcol-agents $(COLLECTOR).new && mv $(COLLECTOR).new $(COLLECTOR)
	@rm -f $(CACHE)/collector/.built-* && touch $@

$(GO_BIN)/.builder-$(BUILDER_VERSION):
	$(call need_go,the Collector's builder)
	GOBIN=$(GO_BIN) $(GO) install go.opentelemetry.io/collector/cmd/builder@$(BUILDER_VERSION)
	@touch $@

$(GO_BIN)/.kustomize-$(KUSTOMIZE_VERSION):
	$(call need_go,kustomize)
	GOBIN=$(GO_BIN) $(GO) install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
	@touch $@

# In a module of its own: `go install package@version` refuses modules with replacements. Without the service discovery
# of thirty clouds, which is most of what there is to build.
$(GO_BIN)/.prometheus-$(PROMETHEUS_VERSION):
	$(call need_go,Prometheus)
	@mkdir -p $(CACHE)/go/prometheus
	cd $(CACHE)/go/prometheus && { test -f go.mod || $(GO) mod init prometheus; } \
		&& $(GO) get github.com/prometheus/prometheus/cmd/prometheus@$(PROMETHEUS_VERSION) \
			github.com/prometheus/prometheus/cmd/promtool@$(PROMETHEUS_VERSION) \
		&& CGO_ENABLED=0 $(GO) build -tags remove_all_sd -ldflags "-s -w" -o $(GO_BIN)/ \
			github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool
	@touch $@

# With the replacements that Loki's own module has, which only the main module can make.
$(GO_BIN)/.loki-$(LOKI_VERSION):
	$(call need_go,Loki)
	@mkdir -p $(CACHE)/go/loki && cp collector/loki/go.mod $(CACHE)/go/loki/go.mod
	cd $(CACHE)/go/loki && $(GO) get github.com/grafana/loki/v3/cmd/loki@$(LOKI_VERSION) \
		&& CGO_ENABLED=0 $(GO) build -ldflags "-s -w" -o $(GO_BIN)/ github.com/grafana/loki/v3/cmd/loki
	@touch $@
