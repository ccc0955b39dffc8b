#include <algorithm>

#include "encoding/encoding.h"

namespace hearth {
namespace {

constexpr const Encoding* kRows[] = {
#define ENCODING(name) &k_##name,
#include "encoding/list.def"
#undef ENCODING
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::span<const Encoding* const> encodings() { return kRows; }

const Encoding* find_encoding(uint32_t gguf_id) {
  for (const Encoding* row : kRows) {
    if (row->gguf_id == gguf_id) return row;
  }
  return nullptr;
}

const Encoding* find_encoding(std::string_view name) {
  for (const Encoding* row : kRows) {
    if (std::ranges::equal(row->name, name, {}, lower, lower)) return row;
  }
  return nullptr;
}

}  // namespace hearth
