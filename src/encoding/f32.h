// F32: IEEE single precision as it is, 4 bytes a value.
#pragma once

#include <cstdint>

namespace hearth {

struct BlockF32 {
  static constexpr uint32_t kElems = 1;
  float value;
};
static_assert(sizeof(BlockF32) == 4);

}  // namespace hearth
