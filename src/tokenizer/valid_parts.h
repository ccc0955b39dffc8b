// Texts whose bytes need not be UTF-8, in stretches that are and stretches that are not.
#pragma once

#include <string_view>

#include "base/utf8.h"

namespace hearth {

// Calls part(stretch, valid) for each, in order.
template <class Part>
void for_valid_parts(std::string_view text, Part&& part) {
  if (is_valid_utf8(text)) {
    if (!text.empty()) part(text, true);
    return;
  }
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    const bool valid = decode_utf8(text, at).valid;
    while (end < text.size()) {
      const Decoded decoded = decode_utf8(text, end);
      if (decoded.valid != valid) break;
      end += decoded.bytes;
    }
    part(text.substr(at, end - at), valid);
    at = end;
  }
}

}  // namespace hearth
