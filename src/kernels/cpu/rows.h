// Weight rows at equal distances, from a place in each on.
#pragma once

#include <cstdint>

#ifndef HEARTH_ISA
#define HEARTH_ISA plain
#define HEARTH_ISA_LEVEL 0
#endif

// A lambda whose parts are registers only where it is inlined.
#define HEARTH_INLINE __attribute__((always_inline))

namespace hearth::HEARTH_ISA {

struct Rows {
  const uint8_t* first;
  int64_t stride;  // bytes from row to row
  const uint8_t* operator[](int r) const { return first + r * stride; }
};

}  // namespace hearth::HEARTH_ISA
