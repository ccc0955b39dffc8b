// Regex: PCRE2 with its compiler, in the syntax of pre-tokenizer patterns. Patterns are written
// for Oniguruma (the engine of Hugging Face's tokenizers); translate_pattern() bridges the places
// where the two would disagree. Immutable once compiled; matching state lives in RegexScratch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/utf8.h"

namespace hearth {

// State for searches, one thread at a time; serves all patterns.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct State;
  std::unique_ptr<State> state_;
};

class Regex {
 public:
  struct Match {
    size_t begin = 0, end = 0;
  };

  // `pattern` in Oniguruma's syntax: kUnsupported, naming it, where it uses what we cannot
  // translate, kCorrupt where it is malformed.
  static Result<Regex> compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // The leftmost match at or after `from`. The work is limited in proportion to the text; a
  // search that runs over the limit finds nothing. REQUIRES: valid UTF-8, from on a character.
  std::optional<Match> search(std::string_view text, size_t from, RegexScratch& scratch) const;

  // Calls found(match), which says whether to go on, for the matches from the left, none
  // overlapping another; an empty one that touches the one before is left out, as Oniguruma does.
  template <class Found>
  void for_each(std::string_view text, RegexScratch& scratch, Found&& found) const {
    size_t from = 0, last = std::string_view::npos;
    while (from <= text.size()) {
      const auto match = search(text, from, scratch);
      if (!match) return;
      if (match->begin == match->end && match->end == last) {
        from += from < text.size() ? decode_utf8(text, from).bytes : size_t{1};
        continue;
      }
      from = last = match->end;
      if (!found(*match)) return;
    }
  }

 private:
  struct Code;
  explicit Regex(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

// The pattern in PCRE2's syntax, or kUnsupported.
Result<std::string> translate_pattern(std::string_view pattern);

}  // namespace hearth
