// Reader: the one way in which binary formats are read. Little endian; every read is checked
// against the end; an error names the field, the offset and the file. A Reader is a cursor with
// value semantics over a source that outlives it.
//
//   Reader in(*source);
//   uint32_t version = TRY(in.read<uint32_t>("version"));
//   TRY(in.need_items(count, 12, "tensor count"));  // before allocating for `count` items
#pragma once

#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "base/byte_source.h"

namespace hearth {

static_assert(std::endian::native == std::endian::little, "Hearth runs on little-endian machines");

class Reader {
 public:
  // Reads [begin, end) of the source; end is clamped to its size.
  explicit Reader(const ByteSource& source, uint64_t begin = 0, uint64_t end = UINT64_MAX);

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return end_ - position_; }

  template <class T>
    requires std::is_arithmetic_v<T>
  Result<T> read(std::string_view field) {
    T value;
    TRY(copy(&value, sizeof value, field));
    return value;
  }

  // The next `count` bytes. They point into the source where it is mapped, else into a buffer of
  // the Reader that the next call overwrites.
  Result<std::span<const std::byte>> bytes(uint64_t count, std::string_view field);

  // A string of `length` bytes (not checked for UTF-8); lifetime as bytes().
  Result<std::string_view> text(uint64_t length, std::string_view field);

  // The fast way through many strings that each follow their own 64-bit length: appends to `out`
  // until it holds `count` or the next one does not fit, and stops before that one, so that
  // reading on with read() and text() gives its error. Does nothing where the source is not
  // mapped. REQUIRES need_items(count, 8).
  void mapped_texts(uint64_t count, std::vector<std::string_view>& out);

  Result<void> skip(uint64_t count, std::string_view field);

  // Fails unless `count` items of at least `item_bytes_min` each can still follow: what a count
  // from outside must pass before anything is allocated for it.
  Result<void> need_items(uint64_t count, uint64_t item_bytes_min, std::string_view field) const;

  // An error that names the field and the current offset.
  template <class... Args>
  std::unexpected<Error> fail_at(std::string_view field, fmt::format_string<Args...> format,
                                 Args&&... args) const {
    return fail_field(field, format, fmt::make_format_args(args...));
  }

 private:
  Result<void> copy(void* out, size_t count, std::string_view field);
  std::unexpected<Error> fail_field(std::string_view field, fmt::string_view format,
                                    fmt::format_args args) const;

  const ByteSource* source_;
  std::span<const std::byte> mapped_;
  uint64_t position_;
  uint64_t end_;
  std::vector<std::byte> buffer_;
};

}  // namespace hearth
