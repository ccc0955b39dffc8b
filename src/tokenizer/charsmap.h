// Charsmap: SentencePiece's "precompiled_charsmap", a table that rewrites prefixes of a text. As
// bytes it is: the size of a trie (32 bits, little endian), the trie, replacements that end in NUL.
// The trie is the double array of darts-clone, units of 32 bits:
//
//   a node   bits 0..7 its label, bit 8 "a value follows", bit 9 and bits 10..30 the offset to its
//            children (shifted by another 8 where bit 9 is set), bit 31 clear
//   a value  bit 31 set, below it the place of a replacement
//
// The child of node n by byte c is at n ^ offset(n) ^ c, and the value of n where c would be 0.
// Immutable; any thread may call.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth {

class Charsmap {
 public:
  // No bytes make a table without rules. kCorrupt for sizes that disagree; a trie whose links lead
  // nowhere is found out when they are followed, and matches nothing there.
  static Result<Charsmap> parse(std::string_view bytes);

  // A rule that applies at the beginning of a text: the bytes it takes (0: none applies) and what
  // they become (valid as long as the Charsmap).
  struct Rule {
    size_t bytes = 0;
    std::string_view text;
  };
  Rule longest(std::string_view text) const;
  Rule shortest(std::string_view text) const;

  // As SentencePiece does it: at each place the rule of the longest prefix, else the character
  // itself; bytes that are no UTF-8 become U+FFFD, one for each.
  std::string normalize(std::string_view text) const;

  // As Hugging Face's normalizer "Precompiled" does it, which differs: a grapheme cluster of fewer
  // than six bytes becomes, as a whole, what the rule of its *shortest* matching prefix says (an
  // accent behind a letter with a rule vanishes); other clusters are taken character by character,
  // again by the shortest prefix of each. Rules that span clusters therefore never apply. Bytes
  // that are no UTF-8, which the reference never sees, stay.
  std::string normalize_graphemes(std::string_view text) const;

  // Longer rules than any known table has: the time and the output for a byte of text stay bounded.
  static constexpr size_t kPrefixBytesMax = 256, kReplacementBytesMax = 128;

 private:
  template <class Found>
  void walk(std::string_view text, Found&& found) const;
  std::string_view replacement(uint32_t place) const;
  void append_graphemes(std::string& out, std::string_view text) const;
  void append_grapheme(std::string& out, std::string_view grapheme) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
  std::array<bool, 256> starts_{};  // whether a rule may begin with this byte
};

}  // namespace hearth
