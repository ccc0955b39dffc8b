// ProtobufReader: walks the fields of one message in protobuf's wire format, which is all that a
// reader of a few known fields needs. Source: https://protobuf.dev/programming-guides/encoding/.
//
//   ProtobufReader in(bytes);
//   while (TRY(in.next())) {
//     if (in.is(3, ProtobufReader::kVarint)) x = in.number();
//   }
//
// Fields of another wire type than expected are skipped like unknown ones, as protobuf does.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace hearth {

class ProtobufReader {
 public:
  enum Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  explicit ProtobufReader(std::string_view message) : left_(message) {}

  // Goes to the next field; false at the end. kCorrupt for what is no message (groups included,
  // which nobody has written since 2008).
  Result<bool> next();

  bool is(uint32_t field, Wire wire) const { return field_ == field && wire_ == wire; }
  // The value of a varint or fixed field.
  uint64_t number() const { return number_; }
  bool flag() const { return number_ != 0; }
  int32_t int32() const { return static_cast<int32_t>(static_cast<uint32_t>(number_)); }
  float float32() const { return std::bit_cast<float>(static_cast<uint32_t>(number_)); }
  // The value of a field of bytes: a string, bytes or a message. Points into the message.
  std::string_view bytes() const { return bytes_; }

 private:
  Result<uint64_t> varint();
  Result<std::string_view> take(uint64_t count);

  std::string_view left_;
  uint32_t field_ = 0;
  uint8_t wire_ = 0;
  uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace hearth
