// operator new that fails on request. A program that links failing_new.cc allocates through it.
#pragma once

#include <cstdint>

namespace hearth {

// The n-th allocation from here on (from 1) throws std::bad_alloc, once, or with `all_after` every
// one that follows too, until disarm(). Of this thread only.
void arm_failure(uint64_t nth, bool all_after);

// Ends that; whether an allocation failed.
bool disarm_failure();

// Allocations of this thread, in all.
int64_t allocations();

// Allocations of this thread that are not freed yet.
int64_t live_allocations();

}  // namespace hearth
