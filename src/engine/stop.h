// Stop strings in a stream of text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

// Holds back text that may turn out to be the beginning of a stop string. The string that is
// complete first ends the text, the longest of several; what it does to a text does not depend on
// the pieces in which the text comes. Time is linear in text times strings.
class StopFilter {
 public:
  // Empty strings stop nothing. Copies what it needs.
  explicit StopFilter(std::span<const std::string> stops);
  // The text that is certain after these bytes; stopped() tells whether a stop string is complete.
  std::string push(std::string_view text);
  std::string finish();  // what was held back
  bool stopped() const { return stopped_; }
  const std::string& match() const { return match_; }  // the string that ended the text

 private:
  // A string and its failure function (Knuth, Morris and Pratt, 1977): how much of it still
  // matches after its first n bytes came and another did not.
  struct Pattern {
    std::string text;
    std::vector<uint32_t> failure;
    uint32_t matched = 0;
  };
  static void step(Pattern& pattern, char byte);

  std::vector<Pattern> patterns_;
  std::string held_;
  std::string match_;
  bool stopped_ = false;
};

}  // namespace hearth
