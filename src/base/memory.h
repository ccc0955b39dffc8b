// How much memory there is for us: what the machine has free, no more than what the control groups
// around the process leave (containers, services with a limit).
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace hearth {

// Bytes that this process may hold in all at this time, without anybody's need to swap: what it
// holds of its own, and what is free for it. Pages of files that the system can drop count as free.
// `root` stands before /proc and /sys, for tests. An error where /proc says nothing.
Result<uint64_t> memory_for_us(const std::filesystem::path& root = "/");

}  // namespace hearth
