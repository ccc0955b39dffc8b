#include "tokenizer/space_cutter.h"

#include <algorithm>

#include "base/utf8.h"

namespace hearth {
namespace {

// The character that ends at `end`; not valid where the bytes before it are none.
Decoded character_before(std::string_view text, size_t end) {
  size_t begin = end;
  for (int steps = 0; steps < 4 && begin > 0; ++steps) {
    --begin;
    if ((static_cast<uint8_t>(text[begin]) & 0xC0) != 0x80) break;
  }
  const Decoded c = decode_utf8(text.substr(0, end), begin);
  return c.valid && begin + c.bytes == end ? c : Decoded{kReplacement, 0, false};
}

}  // namespace

std::string replace_space_marks(std::string_view entry) {
  std::string out;
  size_t at = 0;
  for (size_t mark; (mark = entry.find(kSpaceMark, at)) != std::string_view::npos;
       at = mark + kSpaceMark.size()) {
    out += entry.substr(at, mark - at);
    out += ' ';
  }
  return out += entry.substr(at);
}

void SpaceCutter::build(const std::vector<std::string>& entries) {
  before_mark_.clear();
  never_ = false;
  for (const std::string& entry : entries) {
    if (entry.size() <= kSpaceMark.size()) continue;
    for (size_t at = entry.find(kSpaceMark, 1); at != std::string::npos;
         at = entry.find(kSpaceMark, at + 1)) {
      const Decoded c = character_before(entry, at);
      if (!c.valid) never_ = true;
      else if (before_mark_.empty() || before_mark_.back() != c.code)
        before_mark_.push_back(c.code);
    }
  }
  std::sort(before_mark_.begin(), before_mark_.end());
  before_mark_.erase(std::unique(before_mark_.begin(), before_mark_.end()), before_mark_.end());
}

bool SpaceCutter::joins(std::string_view text, size_t mark) const {
  if (never_) return true;
  const Decoded c = character_before(text, mark);
  return !c.valid || std::binary_search(before_mark_.begin(), before_mark_.end(), c.code);
}

size_t SpaceCutter::word_end(std::string_view text, size_t at) const {
  for (size_t mark = text.find(kSpaceMark, at + 1); mark != std::string_view::npos;
       mark = text.find(kSpaceMark, mark + kSpaceMark.size()))
    if (!joins(text, mark)) return mark;
  return text.size();
}

}  // namespace hearth
