#include "tokenizer/limits.h"

#include <algorithm>

namespace hearth {
namespace {

constexpr int64_t kLengthMax = int64_t{1} << 24;

Result<size_t> read_length(const Json& json, std::string_view name, int64_t fallback) {
  const int64_t length = TRY(json.get_int(name, fallback));
  if (length < 0)
    return fail(Code::kCorrupt, "tokenizer.json: {} is {}, below 0", name, length);
  return static_cast<size_t>(length);
}

Result<TextSide> read_side(const Json& json) {
  const std::string side = TRY(json.get_string("direction", "Right"));
  if (side == "Right") return TextSide::kRight;
  if (side == "Left") return TextSide::kLeft;
  return fail(Code::kCorrupt, "tokenizer.json: direction '{}' is neither Left nor Right",
              side.substr(0, 100));
}

void cut(std::vector<int32_t>& ids, size_t length, TextSide side) {
  if (length >= ids.size()) return;
  const auto surplus = static_cast<ptrdiff_t>(ids.size() - length);
  if (side == TextSide::kLeft) ids.erase(ids.begin(), ids.begin() + surplus);
  else ids.resize(length);
}

// The lengths of two texts of together at most `length`: the longer one gives first.
void share(size_t& first, size_t& second, size_t length) {
  size_t& less = first <= second ? first : second;
  size_t& more = first <= second ? second : first;
  more = less > length ? less : std::max(less, length - less);
  if (less + more <= length) return;
  less = length / 2;
  more = less + length % 2;
}

}  // namespace

Result<std::optional<Truncation>> read_truncation(const Json& json) {
  if (json.is_null()) return std::nullopt;
  Truncation out;
  out.max_length = TRY(read_length(json, "max_length", 512));
  out.stride = TRY(read_length(json, "stride", 0));
  out.side = TRY(read_side(json));
  const std::string strategy = TRY(json.get_string("strategy", "LongestFirst"));
  if (strategy == "OnlyFirst") out.strategy = Truncation::Strategy::kOnlyFirst;
  else if (strategy == "OnlySecond") out.strategy = Truncation::Strategy::kOnlySecond;
  else if (strategy != "LongestFirst")
    return fail(Code::kUnsupported, "tokenizer.json: truncation strategy '{}' is not supported",
                strategy.substr(0, 100));
  return out;
}

Result<std::optional<Padding>> read_padding(const Json& json, size_t entries) {
  if (json.is_null()) return std::nullopt;
  Padding out;
  const Json& strategy = json["strategy"];
  if (strategy.find("Fixed")) out.length = TRY(read_length(strategy, "Fixed", 0));
  else if (!strategy.is_null() && (!strategy.is_string() || strategy.as_string() != "BatchLongest"))
    return fail(Code::kUnsupported, "tokenizer.json: this padding strategy is not supported");
  out.side = TRY(read_side(json));
  if (!json["pad_to_multiple_of"].is_null())
    out.multiple_of = TRY(read_length(json, "pad_to_multiple_of", 0));
  const size_t id = TRY(read_length(json, "pad_id", 0));
  if (id >= std::max<size_t>(entries, 1))
    return fail(Code::kCorrupt, "tokenizer.json: pad_id {} is no entry", id);
  out.id = static_cast<int32_t>(id);
  const size_t type = TRY(read_length(json, "pad_type_id", 0));
  out.type_id = static_cast<int32_t>(std::min<size_t>(type, INT32_MAX));
  out.token = TRY(json.get_string("pad_token", "[PAD]"));
  const size_t max = static_cast<size_t>(kLengthMax);
  if (out.length.value_or(0) > max || out.multiple_of > max)
    return fail(Code::kTooLarge, "tokenizer.json: padding to more than {} ids", kLengthMax);
  return out;
}

Result<void> truncate(std::vector<int32_t>& first, std::vector<int32_t>* second,
                      const Truncation& truncation, size_t added) {
  if (truncation.max_length < added)
    return fail(Code::kInvalid, "truncation to {} ids, of which {} are not the text's",
                truncation.max_length, added);
  const size_t length = truncation.max_length - added;
  const size_t total = first.size() + (second ? second->size() : 0);
  if (length == 0) {
    first.clear();
    if (second) second->clear();
    return {};
  }
  if (total <= length) return {};
  if (truncation.strategy == Truncation::Strategy::kLongestFirst) {
    size_t one = first.size(), other = second ? second->size() : 0;
    if (second) share(one, other, length);
    else one = length;
    cut(first, one, truncation.side);
    if (second) cut(*second, other, truncation.side);
    return {};
  }
  const bool only_first = truncation.strategy == Truncation::Strategy::kOnlyFirst;
  if (!only_first && !second)
    return fail(Code::kInvalid, "truncation of the second text, and there is none");
  std::vector<int32_t>& target = only_first ? first : *second;
  if (target.size() <= total - length)
    return fail(Code::kInvalid, "truncation to {} ids would leave nothing of the text to be cut",
                truncation.max_length);
  cut(target, target.size() - (total - length), truncation.side);
  return {};
}

Result<void> pad(std::span<TextEncoding> encodings, const Padding& padding) {
  size_t length = 0;
  for (const TextEncoding& encoding : encodings) length = std::max(length, encoding.ids.size());
  if (padding.length) length = *padding.length;
  if (padding.multiple_of > 0 && length % padding.multiple_of > 0)
    length += padding.multiple_of - length % padding.multiple_of;
  const size_t max = size_t{1} << 26;
  if (length > max / std::max<size_t>(encodings.size(), 1))
    return fail(Code::kTooLarge, "padding {} texts to {} ids each", encodings.size(), length);
  for (TextEncoding& encoding : encodings) {
    if (encoding.ids.size() >= length) continue;
    const size_t missing = length - encoding.ids.size();
    const auto fill = [&](auto& values, auto value) {
      values.insert(padding.side == TextSide::kLeft ? values.begin() : values.end(), missing,
                    value);
    };
    fill(encoding.ids, padding.id);
    fill(encoding.type_ids, padding.type_id);
    fill(encoding.attention_mask, uint8_t{0});
  }
  return {};
}

}  // namespace hearth
