#include "container/quote.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace hearth {

std::string quote_name(std::string_view name) {
  constexpr size_t kBytesMax = 80;
  std::string out = "'";
  size_t at = 0;
  while (at < name.size() && at < kBytesMax) {
    Decoded d = decode_utf8(name, at);
    std::string_view bytes = name.substr(at, d.bytes);
    bool control = d.code < 0x20 || (d.code >= 0x7F && d.code < 0xA0) || d.code == 0x2028 ||
                   d.code == 0x2029;
    if (d.valid && !control && d.code != '\'' && d.code != '\\') {
      out += bytes;
    } else {
      for (char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    at += d.bytes;
  }
  out += at < name.size() ? "...'" : "'";
  return out;
}

}  // namespace hearth
