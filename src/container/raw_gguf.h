// For tests: GGUF bytes put together field by field, whatever they are.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_source.h"
#include "container/metadata.h"

namespace hearth {

inline std::shared_ptr<const ByteSource> source_of(std::string_view text,
                                                   std::string name = "m.gguf") {
  auto bytes = std::as_bytes(std::span(text));
  return memory_source(std::vector<std::byte>(bytes.begin(), bytes.end()), std::move(name));
}

class RawGguf {
 public:
  RawGguf(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
    bytes = "GGUF";
    put(version).put(tensors).put(keys);
  }
  template <class T>
  RawGguf& put(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes.append(raw, sizeof value);
    return *this;
  }
  RawGguf& text(std::string_view value) {
    put<uint64_t>(value.size());
    bytes.append(value);
    return *this;
  }
  RawGguf& key(std::string_view name, MetaType type) {
    return text(name).put(static_cast<uint32_t>(type));
  }
  // Dimensions as the file has them, innermost first.
  RawGguf& tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t encoding,
                  uint64_t offset) {
    text(name).put(static_cast<uint32_t>(dims.size()));
    for (uint64_t dim : dims) put(dim);
    return put(encoding).put(offset);
  }
  // Padding to the alignment and so many bytes of data.
  RawGguf& data(uint64_t count, uint64_t alignment = 32) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
    bytes.append(count, '\x11');
    return *this;
  }

  std::string bytes;
};

}  // namespace hearth
