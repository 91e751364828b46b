# Every target does its own set-up through scripts/setup, which does nothing when all is there.
.DEFAULT_GOAL := help
.PHONY: help run test test-faults test-package check screenshots bench build package clean ui

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: ## install what is missing, build, start the application (with no display: the first lab, in the terminal)
	@scripts/setup build labs
ifneq ($(DISPLAY)$(WAYLAND_DISPLAY),)
	@$(MAKE) --no-print-directory ui
	cargo build --release -p vlm-cli -p vlm-app
	target/release/vlm-app
else
	@scripts/first-lab
endif

# The real tests start a libvirt of their own in each isolated host: this computer's is not needed, and not started. One
# that cannot run says why and is skipped; with VLM_E2E=require it fails.
test: ## install what the tests need and run them all: fast ones, then real ones (root)
	@scripts/setup --no-daemon build labs tests
	@$(MAKE) --no-print-directory ui
	npm --prefix ui test
	VLM_E2E= cargo test --workspace
	VLM_E2E=$${VLM_E2E:-1} cargo test -p vlm-tests -- --test-threads=1 --nocapture

test-faults: ## crash and break labs at every step on isolated hosts (root): docs/reliability.md, under an hour
	@scripts/setup --no-daemon build labs tests
	VLM_FAULTS=all VLM_E2E=require cargo test -p vlm-tests --test faults -- --test-threads=1 --nocapture

test-package: ## install the package on a clean Debian 12 and 13, start it, remove it (root): minutes
	@scripts/setup --no-daemon build labs
	@ls target/package/*.deb >/dev/null 2>&1 || $(MAKE) --no-print-directory package
	tests/package

check: ## format, lints, types and the fast tests: under a minute when warm
	@scripts/setup build
	@$(MAKE) --no-print-directory ui
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	npm --prefix ui run typecheck
	npm --prefix ui test
	cargo test --workspace

screenshots: ui ## pictures of every page over fixed data, in shots/
	scripts/screenshots $(PAGES)

bench: ## measure what the goals are about, one run each
	@scripts/setup --no-daemon build labs tests
	@$(MAKE) --no-print-directory ui
	cargo build --release -p vlm-cli -p vlm-app
	scripts/bench

build: ## the application and the command line, release
	@scripts/setup build
	@$(MAKE) --no-print-directory ui
	cargo build --release -p vlm-cli -p vlm-app

package: build ## a .deb of both, in target/package
	scripts/package

clean: ## remove everything built here; labs, images and tools stay
	cargo clean
	rm -rf ui/dist ui/node_modules src-tauri/gen

# The desktop shell embeds ui/dist, so it must be there before any `cargo --workspace`.
ui: ui/dist/index.html

ui/dist/index.html: ui/node_modules/.package-lock.json $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f -print 2>/dev/null)
	npm --prefix ui run build
	@touch $@

# npm writes this file last: it is as old as the last complete installation.
ui/node_modules/.package-lock.json: ui/package-lock.json ui/package.json
	npm --prefix ui ci --no-audit --no-fund
	@touch $@
