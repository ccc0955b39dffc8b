// TextRange: a stretch of a text, in bytes.
#pragma once

#include <cstddef>

namespace hearth {

struct TextRange {
  size_t begin = 0, end = 0;  // [begin, end)
  bool operator==(const TextRange&) const = default;
};

}  // namespace hearth
