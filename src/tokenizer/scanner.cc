#include "tokenizer/scanner.h"

#include <unicode/uchar.h>

#include <array>
#include <cstdint>
#include <memory>

namespace hearth {
namespace {

enum : uint8_t { kLetter = 1, kNumber = 2, kSpace = 4, kMark = 8 };

uint8_t classify(char32_t code) {
  const auto point = static_cast<UChar32>(code);
  if (u_hasBinaryProperty(point, UCHAR_WHITE_SPACE)) return kSpace;
  const uint32_t mask = U_GET_GC_MASK(point);
  if (mask & U_GC_L_MASK) return kLetter;
  if (mask & U_GC_N_MASK) return kNumber;
  return mask & U_GC_M_MASK ? kMark : 0;
}

constexpr size_t kTableSize = 0x10000;  // the characters outside are asked for one by one

const uint8_t* class_table() {
  static const std::unique_ptr<const uint8_t[]> table = [] {
    auto made = std::make_unique<uint8_t[]>(kTableSize);
    for (size_t code = 0; code < kTableSize; ++code)
      made[code] = classify(static_cast<char32_t>(code));
    return made;
  }();
  return table.get();
}

// Reads the characters of valid UTF-8 with their classes.
class Reader {
 public:
  explicit Reader(std::string_view text)
      : data_(text.data()), size_(text.size()), table_(class_table()) {}

  size_t size() const { return size_; }
  char byte(size_t at) const { return at < size_ ? data_[at] : '\0'; }

  struct Char {
    uint8_t kind, bytes;
  };
  Char at(size_t at) const {
    const auto first = static_cast<uint8_t>(data_[at]);
    if (first < 0x80) return {table_[first], 1};
    const auto next = [&](size_t i) { return static_cast<char32_t>(data_[at + i] & 0x3F); };
    if (first < 0xE0) return {table_[(first & 0x1Fu) << 6 | next(1)], 2};
    if (first < 0xF0) return {table_[(first & 0x0Fu) << 12 | next(1) << 6 | next(2)], 3};
    return {classify((first & 0x07u) << 18 | next(1) << 12 | next(2) << 6 | next(3)), 4};
  }

  // The end of the run, from `at` on, of characters for which (kind & mask) is not zero; with
  // `inside` false, of those for which it is zero.
  size_t run(size_t at, uint8_t mask, bool inside) const {
    while (at < size_) {
      const Char c = this->at(at);
      if (((c.kind & mask) != 0) != inside) break;
      at += c.bytes;
    }
    return at;
  }

 private:
  const char* data_;
  size_t size_;
  const uint8_t* table_;
};

bool is_newline(char c) { return c == '\r' || c == '\n'; }

// The end of a contraction at `at` ('s 't 'm 'd 're 've 'll), or `at`. Without regard to case,
// U+017F is an s.
size_t contraction_end(const Reader& text, size_t at, bool any_case) {
  const auto letter = [&](size_t i) {
    const char c = text.byte(at + i);
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
  if (first == 'l' && second == 'l') return at + 3;
  if (any_case && first == '\xC5' && second == '\xBF') return at + 3;
  return at;
}

// \s+(?!\S)|\s+ : the run of spaces without its last one, which goes to the word that follows.
// `kStops` are kinds that end the text for this pattern.
template <uint8_t kStops>
size_t space_end(const Reader& text, size_t at) {
  const size_t end = text.run(at, kSpace, true);
  if (end == text.size() || (text.at(end).kind & kStops)) return end;
  size_t last = end - 1;
  while ((text.byte(last) & 0xC0) == 0x80) --last;
  return last > at ? last : end;
}

template <bool kDigitsAlone>
size_t scan_gpt2(std::string_view whole, size_t at) {
  const Reader text(whole);
  const char first = text.byte(at);
  if (first == '\'') {
    const size_t end = contraction_end(text, at, false);
    if (end != at) return end;
  }
  size_t start = at;
  if (first == ' ' && at + 1 < text.size()) ++start;
  const auto c = text.at(start);
  if (c.kind & kLetter) return text.run(start + c.bytes, kLetter, true);
  if (c.kind & kNumber) {
    if constexpr (kDigitsAlone) return start == at ? at + c.bytes : start;
    return text.run(start + c.bytes, kNumber, true);
  }
  if (!(c.kind & kSpace))
    return text.run(start + c.bytes, kSpace | kLetter | kNumber, false);
  return space_end<kDigitsAlone ? kNumber : 0>(text, at);
}

// The patterns after OpenAI's cl100k: kLetters makes words, kDigits is how many digits go
// together.
template <uint8_t kLetters, int kDigits>
size_t scan_cl100k(std::string_view whole, size_t at) {
  const Reader text(whole);
  const char first = text.byte(at);
  if (first == '\'') {
    const size_t end = contraction_end(text, at, true);
    if (end != at) return end;
  }
  const auto c = text.at(at);
  size_t next = at + c.bytes;
  if (c.kind & kLetters) return text.run(next, kLetters, true);
  if (c.kind & kNumber) {
    for (int digits = 1; digits < kDigits && next < text.size(); ++digits) {
      const auto digit = text.at(next);
      if (!(digit.kind & kNumber)) break;
      next += digit.bytes;
    }
    return next;
  }
  if (!is_newline(first) && next < text.size()) {
    const auto second = text.at(next);
    if (second.kind & kLetters) return text.run(next + second.bytes, kLetters, true);
  }
  constexpr uint8_t kNoSymbol = kSpace | kLetters | kNumber;
  const size_t start = first == ' ' && next < text.size() ? next : at;
  if (!(text.at(start).kind & kNoSymbol)) {
    size_t end = text.run(start, kNoSymbol, false);
    while (is_newline(text.byte(end))) ++end;
    return end;
  }
  const size_t end = text.run(at, kSpace, true);
  for (size_t back = end; back > at; --back)
    if (is_newline(text.byte(back - 1))) return back;
  return space_end<0>(text, at);
}

struct Row {
  std::array<std::string_view, 2> patterns;  // the second may be empty
  Scanner scanner;
};

constexpr Row kRows[] = {
    {{patterns::kGpt2, {}}, scan_gpt2<false>},
    {{patterns::kNumber, patterns::kGpt2}, scan_gpt2<true>},
    {{patterns::kLlama3, {}}, scan_cl100k<kLetter, 3>},
    {{patterns::kQwen2, {}}, scan_cl100k<kLetter, 1>},
    {{patterns::kQwen35, {}}, scan_cl100k<kLetter | kMark, 1>},
};

}  // namespace

Scanner find_scanner(std::span<const std::string_view> patterns) {
  for (const Row& row : kRows) {
    const size_t count = row.patterns[1].empty() ? 1 : 2;
    if (patterns.size() != count || patterns[0] != row.patterns[0]) continue;
    if (count == 1 || patterns[1] == row.patterns[1]) return row.scanner;
  }
  return nullptr;
}

}  // namespace hearth
