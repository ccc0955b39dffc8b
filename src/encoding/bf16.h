// BF16: the upper 16 bits of a single, 2 bytes a value (half.h).
#pragma once

#include <cstdint>

namespace hearth {

struct BlockBF16 {
  static constexpr uint32_t kElems = 1;
  uint16_t bits;
};
static_assert(sizeof(BlockBF16) == 2);

}  // namespace hearth
