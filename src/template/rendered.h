// Rendered: what a template printed, and which bytes of it came from the conversation.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_range.h"

namespace hearth {

struct Rendered {
  std::string text;
  // Sorted, apart from each other, none empty. No byte in here may take part in a control token:
  // somebody other than the template's author wrote it.
  std::vector<TextRange> foreign;

  // Appends `part`, and remembers it where it is foreign.
  void append(std::string_view part, bool is_foreign) {
    if (is_foreign) mark(text.size(), text.size() + part.size());
    text += part;
  }

  // Appends bytes [begin, end) of another text with the marks that they have there.
  void append(std::string_view other, std::span<const TextRange> marks, size_t begin, size_t end) {
    size_t start = text.size();
    auto ends_before = [](const TextRange& range, size_t at) { return range.end <= at; };
    auto range = std::lower_bound(marks.begin(), marks.end(), begin, ends_before);
    for (; range != marks.end() && range->begin < end; ++range) {
      mark(start + std::max(range->begin, begin) - begin,
           start + std::min(range->end, end) - begin);
    }
    text.append(other, begin, end - begin);
  }

  // Keeps the first `size` bytes with their marks. REQUIRES: there are so many.
  void truncate(size_t size) {
    text.resize(size);
    while (!foreign.empty() && foreign.back().begin >= size) foreign.pop_back();
    if (!foreign.empty()) foreign.back().end = std::min(foreign.back().end, size);
  }

  // What this takes of memory.
  size_t bytes() const { return text.size() + foreign.size() * sizeof(TextRange); }

 private:
  void mark(size_t begin, size_t end) {
    if (begin == end) return;
    if (!foreign.empty() && foreign.back().end == begin) foreign.back().end = end;
    else foreign.push_back({begin, end});
  }
};

}  // namespace hearth
