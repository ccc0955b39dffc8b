// What an encoding for a model that reads whole texts consists of, and the limits that a
// tokenizer.json may set for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

// All three are of the same length. A type id says which of two texts an id belongs to; the mask
// is 0 where ids only pad.
struct TextEncoding {
  std::vector<int32_t> ids, type_ids;
  std::vector<uint8_t> attention_mask;
};

// One text, or two that are read together.
struct TextPair {
  std::string_view first;
  std::optional<std::string_view> second;
};

enum class TextSide : uint8_t { kRight, kLeft };

// The member "truncation": at most `max_length` ids, with what is put around the texts. `stride`
// ids would be shared by parts of one text; what is cut off is not kept here.
struct Truncation {
  enum class Strategy : uint8_t { kLongestFirst, kOnlyFirst, kOnlySecond };
  size_t max_length = 512, stride = 0;
  Strategy strategy = Strategy::kLongestFirst;
  TextSide side = TextSide::kRight;  // that loses ids
};

// The member "padding": all encodings of a batch get the length of the longest, or `length`,
// rounded up to a multiple.
struct Padding {
  std::optional<size_t> length;
  size_t multiple_of = 0;  // 0: of anything
  TextSide side = TextSide::kRight;  // that gets ids
  int32_t id = 0, type_id = 0;
  std::string token = "[PAD]";
};

}  // namespace hearth
