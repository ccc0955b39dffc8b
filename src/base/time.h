// Points in time as people and files write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth {

// Seconds since 1970 of "2026-01-02", "2026-01-02T03:04:05", with optional fraction (dropped) and
// "Z" or "+hh:mm"; without one it is UTC. kInvalid otherwise.
Result<int64_t> parse_iso_time(std::string_view text);

// "2026-01-02T03:04:05Z".
std::string iso_time(int64_t seconds);

}  // namespace hearth
