// ByteSource: random access to the bytes under a container format, wherever they are: a memory
// map, memory of our own, later an HTTP range. Sources are immutable and may be read from any
// number of threads. Spans from mapped() live as long as the source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Where the bytes come from, for messages: a path or a URL.
  virtual const std::string& name() const = 0;
  virtual uint64_t size() const = 0;

  // Copies out.size() bytes from `offset`; kCorrupt when they reach beyond the end.
  virtual Result<void> read_at(uint64_t offset, std::span<std::byte> out) const = 0;

  // All bytes where they lie in memory, or an empty span when they do not (or size() is 0).
  virtual std::span<const std::byte> mapped() const { return {}; }
};

// Maps a regular file for reading; nothing is read before it is touched. A file that another
// process truncates while it is mapped raises SIGBUS on access: the store therefore never
// rewrites a blob in place.
Result<std::shared_ptr<const ByteSource>> open_mapped(const std::string& path);

// Owns `bytes`. `name` appears in messages.
std::shared_ptr<const ByteSource> memory_source(std::vector<std::byte> bytes, std::string name);

}  // namespace hearth
