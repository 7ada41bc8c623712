# SPDX-License-Identifier: GPL-2.0
# fuse-bpf: what one does with the checkout. All work is done by scripts, in a
# Debian root and in guests that boot from it; run as root.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
export J CI KERNEL_SRC

# module: the stock Debian kernel with fuse_bpf.ko; debug: the debug kernel.
FLAVOUR ?= module
ENTER := selftests/vm/enter.sh
RUN := selftests/vm/run.sh

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

root: ## make the Debian root, once
	@selftests/vm/mkroot.sh

module: ## build/module/fuse_bpf.ko, for Debian's stock kernel
	@kernel/scripts/build-module.sh

debug-kernel: ## the debug kernel (10 minutes from nothing)
	@kernel/scripts/build-debug.sh

user: ## the library, the filters, the command and the tests
	@kernel/scripts/prepare.sh --only fs/fuse,include/uapi/linux,include/linux build/module-src
	@$(ENTER) sh -c 'for d in libfuse-bpf bpf tools selftests; do make -s -j$${J:-$$(nproc)} -C $$d || exit; done'

demo: module user ## show what it is good for, in a guest
	@image=$$(tools/demo/image.sh) && $(RUN) --disk $$image -- tools/demo/demo.sh

demo-agent: module user ## show a sandbox for a coding agent, each claim checked, in a guest
	@$(RUN) --timeout 1200 --mem 3072 -- tools/demo/agent.sh

demo-astack: module user ## show a shared storage for apps, each claim checked, in a guest
	@$(RUN) -- tools/demo/astack.sh

demo-filters: module user ## show what filters do, each claim checked, in a guest
	@image=$$(tools/demo/image.sh) && $(RUN) --disk $$image -- tools/demo/filters.sh

demo-tierfs: module user ## a tree whose files are in an object store, each claim checked, in a guest
	@$(RUN) -- tools/demo/tierfs.sh

check-lib: user ## the library as others find it: sanitizers, valgrind, install, pages
	@$(ENTER) selftests/lib/check.sh

check-tierfs: user ## the daemon of tierfs, killed at each step
	@$(ENTER) selftests/tierfs/check.sh

test: module user bench-programs $(if $(T),,check-lib check-tierfs) ## the tests on the stock kernel with the module [T='NAME...']
	@$(RUN) --timeout $(or $(TIMEOUT),3600) -- 'selftests/run.sh $(T)'

test-debug: user ## the tests on the debug kernel [T='NAME...'] [PART=I/N]
	@$(RUN) --flavour debug --timeout $(or $(TIMEOUT),5400) $(if $(PART),--env PART=$(PART)) \
		-- 'selftests/run.sh $(T)'

FULL_FS := tmpfs xfs btrfs overlay
test-full: module user ## the comparison with native directories, on more file systems; crashes; scale
	@selftests/crash/kill.sh 1 3
	@$(RUN) --timeout 1800 --mem 3072 --env TEST_LIMIT=1500 --env NATIVE_FS='$(FULL_FS)' \
		-- 'selftests/run.sh backed/native crash/ scale/'

test-programs: module user ## real programs on a mount, with native results beside [T='programs/NAME...']
	@$(RUN) --timeout 1200 --mem 3072 --env TEST_LIMIT=600 -- 'selftests/run.sh $(or $(T),programs/)'

crash: module user ## kill guests that write by a mount, and look at their disks [ROUNDS=N] [SEED=N]
	@selftests/crash/kill.sh $(or $(ROUNDS),3) $(SEED)

timing: module user ## does time tell what filters hide? In instructions
	@$(RUN) --icount --timeout 1800 --env TIMING=1 -- 'selftests/run.sh timing/'

coverage: module user ## which lines of our kernel files the tests execute [T='NAME...'] [PART=I/N]
	@kernel/scripts/build-coverage.sh
	@$(RUN) --timeout $(or $(TIMEOUT),7200) $(if $(PART),--env PART=$(PART)) \
		-- 'selftests/coverage.sh $(T)'; status=$$?; \
		$(ENTER) kernel/coverage/report.py build/coverage kernel/files/fs/fuse && exit $$status

fuzz-policy: user ## texts of policies and recordings for the command, under sanitizers [TIME=SECONDS]
	@$(ENTER) selftests/fuzz/tools.sh $(or $(TIME),10)

# Each inode of a million takes 4 KiB, with its backing.
SOAK_MEM := $(if $(filter scale,$(T)),8192,3072)
soak: $(if $(filter module,$(FLAVOUR)),module) user ## run a test for longer, T=oracle TIME=SECONDS [FLAVOUR=debug]
	@$(RUN) --flavour $(FLAVOUR) --timeout $$(($(or $(TIME),600) * 2 + 300)) --mem $(SOAK_MEM) -- 'selftests/soak.sh $(T) $(TIME)'

bench-programs: user
	@$(ENTER) make -s -C selftests/bench

bench: module bench-programs ## what an operation costs, beside every other way to show a directory
	@selftests/bench/run.sh quick

bench-full: module bench-programs ## the same with more repetitions, and fio in all ways (hours)
	@selftests/bench/run.sh full

bench-count: module bench-programs ## instructions for each operation, on a machine that counts them
	@selftests/bench/run.sh count

bench-model: module bench-programs ## what filters, rules and names add, in instructions, and memory
	@for mode in model growth memory; do selftests/bench/run.sh $$mode || exit; done

bench-scale: module bench-programs ## 1 to 8 processes at the same time, and where they wait for locks
	@selftests/bench/run.sh scale

bench-compare: bench-programs ## did a change cost anything? A=CHECKOUT B=CHECKOUT, both built
	@selftests/bench/compare.sh '$(A)' '$(B)'

bench-profile: module bench-programs ## instructions of an operation by function, ROW=stat COLUMN=backed
	@selftests/bench/profile.py '$(ROW)' '$(COLUMN)'

check: ## check the patch series: drift, checkpatch, sparse, every step builds
	@kernel/scripts/check.sh

# The shell reads CMD from the environment, so that it may hold any quotes.
vm: export VM_CMD = $(value CMD)
vm: $(if $(filter module,$(FLAVOUR)),module) ## run CMD='...' in a guest, or a shell [FLAVOUR=debug|stock] [TIMEOUT=SEC]
	@$(RUN) --flavour $(FLAVOUR) $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(CMD),-- "$$VM_CMD",--shell)

clean: ## remove build/; the cache (~/.cache/fuse-bpf) stays
	@rm -rf build

.PHONY: help root check-lib check-tierfs module debug-kernel user demo demo-agent demo-astack demo-filters \
	demo-tierfs test test-debug test-full test-programs coverage crash timing soak fuzz-policy \
	bench-programs bench bench-full \
	bench-count bench-model bench-scale bench-compare bench-profile check vm clean
