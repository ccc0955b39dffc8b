// Draws of a mutant: a function of a seed and the mutant's number.
#pragma once

#include <cstdint>
#include <iterator>

#include "base/rng.h"

namespace hearth {

class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  uint64_t next() {
    auto x = philox(seed_, stream_, counter_++);
    return uint64_t{x[0]} << 32 | x[1];
  }
  uint64_t below(uint64_t end) { return next() % end; }
  const auto& pick(const auto& items) { return items[below(std::size(items))]; }

 private:
  uint64_t seed_, stream_, counter_ = 0;
};

// Numbers at which sizes, signs, types and alignments break.
inline constexpr uint64_t kEdges[] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16, 30, 31, 32, 33, 63, 64, 100, 127, 128, 255,
    256, 512, 1000, 32767, 32768, 65535, 65536, 1u << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
    1ull << 32, 0x100000001, 1ull << 40, (1ull << 48) + 1, 1ull << 56, 1ull << 58, 1ull << 59,
    1ull << 60, (1ull << 61) - 1, 1ull << 61, (1ull << 61) + 1, 1ull << 62, (1ull << 62) + 1,
    0x7FFFFFFFFFFFFFFF, 1ull << 63, ~0ull - 127, ~0ull - 63, ~0ull - 31, ~0ull - 7, ~0ull - 1,
    ~0ull};

}  // namespace hearth
