// F16: IEEE half precision, 2 bytes a value (half.h).
#pragma once

#include <cstdint>

namespace hearth {

struct BlockF16 {
  static constexpr uint32_t kElems = 1;
  uint16_t bits;
};
static_assert(sizeof(BlockF16) == 2);

}  // namespace hearth
