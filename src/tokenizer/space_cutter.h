// SpaceCutter: cuts text in which U+2581 stands for a space into words that can be merged one by
// one with the same result as the whole: before each U+2581 that follows a character which no
// entry of the vocabulary has in front of a U+2581.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// The entry with a space for each U+2581.
std::string replace_space_marks(std::string_view entry);

class SpaceCutter {
 public:
  // Learns from all entries that merging can make.
  void build(const std::vector<std::string>& entries);

  // The end of the word that begins at `at`.
  size_t word_end(std::string_view text, size_t at) const;

 private:
  bool joins(std::string_view text, size_t mark) const;
  std::vector<char32_t> before_mark_;  // sorted: characters that entries have before a U+2581
  bool never_ = false;                 // an entry has bytes that are no UTF-8 there: do not cut
};

}  // namespace hearth
