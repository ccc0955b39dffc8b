// SpecialTokens: the entries that are looked for in a text before anything else, such as
// "<|im_end|>". One pass finds the leftmost, and there the longest, of them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_range.h"

namespace hearth {

struct SpecialToken {
  std::string text;
  int32_t id = -1;
  bool control = false;      // found only where control tokens are asked for
  bool guarded = false;      // never found in foreign text: control, and what opens or closes turns
  bool strip_left = false;   // takes the white space before it along
  bool strip_right = false;  // and after it
  bool single_word = false;  // only where no word character touches it
};

class SpecialTokens {
 public:
  // A stretch of the text: a token, or (id -1) text between tokens.
  struct Piece {
    size_t begin = 0, end = 0;
    int32_t id = -1;
  };

  // Empty tokens are left out. Tokens of up to kBytesMax cost no more than that per byte of the
  // text; each longer one is searched for on its own. REQUIRES: at most kLongMax of those.
  void build(std::vector<SpecialToken> tokens);
  bool empty() const { return tokens_.empty() && long_.empty(); }
  size_t size() const { return tokens_.size() + long_.size(); }

  // The whole text as pieces, none of them empty. Guarded tokens take in no byte of `foreign`
  // (sorted, apart from each other). As in the reference, a match that does not count (a control
  // token without `with_control`, part of a word) hides what it covers from the other tokens, and
  // white space that a token takes along may still begin the next one.
  std::vector<Piece> split(std::string_view text, bool with_control,
                           std::span<const TextRange> foreign = {}) const;

  static constexpr size_t kBytesMax = 512, kLongMax = 64;

 private:
  // The longest token at text[at]; guarded ones of at most `guarded_max` bytes.
  const SpecialToken* match(std::string_view text, size_t at, size_t guarded_max) const;

  std::vector<SpecialToken> long_;            // longest first
  std::vector<SpecialToken> tokens_;          // sorted by text
  std::array<uint32_t, 257> first_byte_{};    // where the tokens of each first byte begin
};

}  // namespace hearth
