#include "tokenizer/protobuf_reader.h"

#include <cstring>

namespace hearth {

Result<uint64_t> ProtobufReader::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (left_.empty()) return fail(Code::kCorrupt, "a protobuf message ends within a number");
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return fail(Code::kCorrupt, "a protobuf number of more than 10 bytes");
}

Result<std::string_view> ProtobufReader::take(uint64_t count) {
  if (count > left_.size())
    return fail(Code::kCorrupt, "a protobuf field of {} bytes where {} are left", count,
                left_.size());
  const std::string_view taken = left_.substr(0, count);
  left_.remove_prefix(count);
  return taken;
}

Result<bool> ProtobufReader::next() {
  if (left_.empty()) return false;
  const uint64_t key = TRY(varint());
  if (key >> 3 == 0 || key >> 32 != 0)
    return fail(Code::kCorrupt, "a protobuf field of number {}", key >> 3);
  field_ = static_cast<uint32_t>(key >> 3);
  wire_ = static_cast<uint8_t>(key & 7);
  number_ = 0;
  bytes_ = {};
  switch (wire_) {
    case kVarint:
      number_ = TRY(varint());
      return true;
    case kFixed64:
    case kFixed32: {
      const std::string_view raw = TRY(take(wire_ == kFixed64 ? 8 : 4));
      std::memcpy(&number_, raw.data(), raw.size());
      return true;
    }
    case kBytes:
      bytes_ = TRY(take(TRY(varint())));
      return true;
    default:
      return fail(Code::kCorrupt, "a protobuf field of wire type {}", wire_);
  }
}

}  // namespace hearth
