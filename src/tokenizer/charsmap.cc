#include "tokenizer/charsmap.h"

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/utf8.h"

namespace hearth {
namespace {

constexpr uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }
constexpr uint32_t label_of(uint32_t unit) { return unit & 0x800000FFu; }
constexpr bool has_value(uint32_t unit) { return (unit & 0x100) != 0; }
constexpr uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFFu; }

// A breaker into grapheme clusters. ICU says that one must not be shared between threads and that
// making one is slow.
icu::BreakIterator* grapheme_breaker() {
  thread_local const std::unique_ptr<icu::BreakIterator> breaker = [] {
    UErrorCode error = U_ZERO_ERROR;
    std::unique_ptr<icu::BreakIterator> made(
        icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error));
    return U_SUCCESS(error) ? std::move(made) : nullptr;
  }();
  return breaker.get();
}

// The ASCII characters at the beginning that are clusters of their own: all but CR, and but for
// the last one where a character follows that it may be joined with.
size_t lone_ascii(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && static_cast<uint8_t>(text[end]) < 0x80 && text[end] != '\r') ++end;
  return end == text.size() || end == 0 || text[end] == '\r' ? end : end - 1;
}

}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view bytes) {
  Charsmap made;
  if (bytes.empty()) return made;
  uint32_t trie_bytes = 0;
  if (bytes.size() < sizeof trie_bytes)
    return fail(Code::kCorrupt, "precompiled_charsmap: {} bytes", bytes.size());
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  bytes.remove_prefix(sizeof trie_bytes);
  if (trie_bytes > bytes.size())
    return fail(Code::kCorrupt, "precompiled_charsmap: a trie of {} bytes where {} are left",
                trie_bytes, bytes.size());
  made.units_.resize(trie_bytes / sizeof(uint32_t));
  if (!made.units_.empty())
    std::memcpy(made.units_.data(), bytes.data(), made.units_.size() * sizeof(uint32_t));
  made.replacements_ = bytes.substr(trie_bytes);
  for (size_t at = 0; at < made.replacements_.size();) {
    const size_t end = std::min(made.replacements_.find('\0', at), made.replacements_.size());
    if (end - at > kReplacementBytesMax)
      return fail(Code::kUnsupported,
                  "precompiled_charsmap: a replacement of {} bytes (at most {})", end - at,
                  kReplacementBytesMax);
    at = end + 1;
  }
  if (made.units_.empty()) return made;
  const uint32_t root = offset_of(made.units_[0]);
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const size_t child = root ^ byte;
    made.starts_[byte] = child < made.units_.size() && label_of(made.units_[child]) == byte;
  }
  return made;
}

std::string_view Charsmap::replacement(uint32_t place) const {
  if (place >= replacements_.size()) return {};
  const size_t end = std::min(replacements_.find('\0', place), replacements_.size());
  return std::string_view(replacements_).substr(place, end - place);
}

// Calls found(bytes, unit of the value) for each prefix with a rule, shortest first, until it
// returns false.
template <class Found>
void Charsmap::walk(std::string_view text, Found&& found) const {
  if (text.empty() || !starts_[static_cast<uint8_t>(text[0])]) return;
  size_t node = offset_of(units_[0]);
  const size_t end = std::min(text.size(), kPrefixBytesMax);
  for (size_t at = 0; at < end; ++at) {
    const auto byte = static_cast<uint8_t>(text[at]);
    node ^= byte;
    if (node >= units_.size() || label_of(units_[node]) != byte) return;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (node >= units_.size() || !found(at + 1, units_[node])) return;
  }
}

Charsmap::Rule Charsmap::longest(std::string_view text) const {
  size_t bytes = 0;
  uint32_t unit = 0;
  walk(text, [&](size_t taken, uint32_t value) {
    bytes = taken;
    unit = value;
    return true;
  });
  return bytes == 0 ? Rule{} : Rule{bytes, replacement(value_of(unit))};
}

Charsmap::Rule Charsmap::shortest(std::string_view text) const {
  Rule rule;
  walk(text, [&](size_t taken, uint32_t value) {
    rule = {taken, replacement(value_of(value))};
    return false;
  });
  return rule;
}

std::string Charsmap::normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Rule rule = longest(text.substr(at));
    if (rule.bytes > 0) {
      out += rule.text;
      at += rule.bytes;
      continue;
    }
    const Decoded c = decode_utf8(text, at);
    if (c.valid) out += text.substr(at, c.bytes);
    else append_utf8(out, kReplacement);
    at += c.valid ? c.bytes : size_t{1};
  }
  return out;
}

std::string Charsmap::normalize_graphemes(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  // ICU counts in 32 bits: what is longer goes in blocks, as do stretches of valid UTF-8.
  constexpr size_t kBlock = size_t{1} << 30;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    for (Decoded c; end < text.size() && end - at < kBlock; end += c.bytes)
      if (c = decode_utf8(text, end); !c.valid) break;
    append_graphemes(out, text.substr(at, end - at));
    at = end;
    for (Decoded c; at < text.size(); at += c.bytes) {
      if (c = decode_utf8(text, at); c.valid) break;
      out += text.substr(at, c.bytes);
    }
  }
  return out;
}

void Charsmap::append_graphemes(std::string& out, std::string_view text) const {
  icu::BreakIterator* breaker = nullptr;
  UText view = UTEXT_INITIALIZER;
  for (size_t at = 0; at < text.size();) {
    const size_t ascii = at + lone_ascii(text.substr(at));
    for (; at < ascii; ++at) append_grapheme(out, text.substr(at, 1));
    if (at == text.size()) break;
    size_t end = text.size();
    if (!breaker && (breaker = grapheme_breaker())) {
      UErrorCode error = U_ZERO_ERROR;
      utext_openUTF8(&view, text.data(), static_cast<int64_t>(text.size()), &error);
      breaker->setText(&view, error);
      if (U_FAILURE(error)) breaker = nullptr;
    }
    if (breaker) {
      const int32_t next = breaker->following(static_cast<int32_t>(at));
      if (next != icu::BreakIterator::DONE) end = static_cast<size_t>(next);
    }
    append_grapheme(out, text.substr(at, end - at));
    at = end;
  }
  utext_close(&view);
}

void Charsmap::append_grapheme(std::string& out, std::string_view grapheme) const {
  constexpr size_t kWholeBytesMax = 5;
  if (grapheme.size() <= kWholeBytesMax) {
    const Rule rule = shortest(grapheme);
    if (rule.bytes > 0) {
      out += rule.text;
      return;
    }
  }
  for (size_t at = 0; at < grapheme.size();) {
    const std::string_view c = grapheme.substr(at, decode_utf8(grapheme, at).bytes);
    const Rule rule = shortest(c);
    out += rule.bytes > 0 ? rule.text : c;
    at += c.size();
  }
}

}  // namespace hearth
