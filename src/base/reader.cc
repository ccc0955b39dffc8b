#include "base/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/math.h"

namespace hearth {

Reader::Reader(const ByteSource& source, uint64_t begin, uint64_t end)
    : source_(&source),
      mapped_(source.mapped()),
      position_(std::min(begin, source.size())),
      end_(std::max(position_, std::min(end, source.size()))) {}

Result<void> Reader::copy(void* out, size_t count, std::string_view field) {
  if (count > remaining())
    return fail_at(field, "needs {} bytes, {} are left", count, remaining());
  if (!mapped_.empty()) {
    std::memcpy(out, mapped_.data() + position_, count);
  } else {
    TRY(source_->read_at(position_, {static_cast<std::byte*>(out), count}));
  }
  position_ += count;
  return {};
}

Result<std::span<const std::byte>> Reader::bytes(uint64_t count, std::string_view field) {
  if (count > remaining())
    return fail_at(field, "needs {} bytes, {} are left", count, remaining());
  if (!mapped_.empty()) {
    auto out = mapped_.subspan(position_, count);
    position_ += count;
    return out;
  }
  buffer_.resize(count);
  TRY(source_->read_at(position_, buffer_));
  position_ += count;
  return std::span<const std::byte>(buffer_);
}

Result<std::string_view> Reader::text(uint64_t length, std::string_view field) {
  auto raw = TRY(bytes(length, field));
  return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
}

void Reader::mapped_texts(uint64_t count, std::vector<std::string_view>& out) {
  if (mapped_.empty()) return;
  const char* all = reinterpret_cast<const char*>(mapped_.data());
  while (out.size() < count && end_ - position_ >= sizeof(uint64_t)) {
    uint64_t length;
    std::memcpy(&length, all + position_, sizeof length);
    if (length > end_ - position_ - sizeof length) return;
    out.emplace_back(all + position_ + sizeof length, length);
    position_ += sizeof length + length;
  }
}

Result<void> Reader::skip(uint64_t count, std::string_view field) {
  if (count > remaining())
    return fail_at(field, "needs {} bytes, {} are left", count, remaining());
  position_ += count;
  return {};
}

Result<void> Reader::need_items(uint64_t count, uint64_t item_bytes_min,
                                std::string_view field) const {
  auto bytes = checked_mul(count, item_bytes_min);
  if (!bytes || *bytes > remaining())
    return fail_at(field, "{} items of {} bytes or more cannot fit in the {} bytes left", count,
                   item_bytes_min, remaining());
  return {};
}

std::unexpected<Error> Reader::fail_field(std::string_view field, fmt::string_view format,
                                          fmt::format_args args) const {
  return std::unexpected(
      Error{Code::kCorrupt, fmt::format("{}: {} at offset {}: {}", source_->name(), field,
                                        position_, fmt::vformat(format, args))});
}

}  // namespace hearth
