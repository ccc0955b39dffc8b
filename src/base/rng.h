// Counted random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011). A number is a function of (seed, stream, counter) and of nothing else, so that
// no schedule, batch or thread count can change it.
#pragma once

#include <array>
#include <cstdint>

namespace hearth {

// Four independent 32-bit numbers.
std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t counter);

// Uniform in [0, 1) with 53 bits, from the first two of the four.
double uniform(uint64_t seed, uint64_t stream, uint64_t counter);

}  // namespace hearth
