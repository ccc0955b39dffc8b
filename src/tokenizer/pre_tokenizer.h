// PreTokenizer: cuts a text into the words that byte-pair merging never crosses. It is a list of
// steps, each of which cuts the pieces of the one before; the steps of a GGUF file come from the
// row of its name in a table, those of a tokenizer.json from the file. Immutable once made.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/cutters.h"
#include "tokenizer/regex.h"
#include "tokenizer/scanner.h"

namespace hearth {

// What becomes of the matches of a pattern: pieces of their own, nothing, one piece for each
// stretch of adjacent matches, or part of the piece before or after.
enum class SplitBehavior : uint8_t {
  kIsolated, kRemoved, kContiguous, kMergedWithPrevious, kMergedWithNext,
};

// Where a text gets a space in front.
enum class PrependScheme : uint8_t { kNever, kFirst, kAlways };

using CharacterSet = bool (*)(char32_t code);

class PreTokenizer {
 public:
  using Sink = std::function<void(std::string_view word)>;

  // Adds a step. `invert` exchanges matches and what lies between them.
  Result<void> add_split(std::string pattern, SplitBehavior behavior, bool invert);
  void add_literal_split(std::string text, SplitBehavior behavior, bool invert);
  void add_character_split(CharacterSet set, SplitBehavior behavior);  // each character a match
  void add_cut(Cutter cut);
  void add_prefix_space();  // a space before each piece that has none
  void add_metaspace(std::string replacement, PrependScheme scheme, bool split);
  void add_byte_level();  // bytes become characters of the byte-level alphabet

  // Call once, after the last step: finds scanners for the patterns (never, if not `scanners`)
  // and compiles those that have none.
  Result<void> finish(bool scanners = true);

  // Takes add_byte_level() out again, if words that are bytes come to the same: there is one such
  // step, and what follows it looks at ASCII digits only. False, with nothing changed, if not.
  // Before finish().
  bool drop_byte_level();

  // Words in order. Bytes that are no UTF-8 become pieces of their own and meet no pattern.
  // `lead`: the bytes at the front that stem from the first character of what the user gave.
  void run(std::string_view text, size_t lead, RegexScratch& scratch, const Sink& sink) const;

  static constexpr size_t kStepsMax = 32;

 private:
  struct Step {
    enum class Kind : uint8_t {
      kScan, kPattern, kLiteral, kCharacters, kCut, kPrefixSpace, kMetaspace, kByteLevel,
    } kind;
    SplitBehavior behavior = SplitBehavior::kIsolated;
    bool invert = false, split = false;
    PrependScheme scheme = PrependScheme::kNever;
    std::string text;  // the pattern, the literal or the replacement
    Scanner scanner = nullptr;
    CharacterSet set = nullptr;
    std::bitset<128> ascii;  // of the set
    Cutter cut;
    std::optional<Regex> regex;
  };

  void run_step(size_t index, std::string_view piece, size_t lead, RegexScratch& scratch,
                const Sink& sink) const;
  void run_rewritten(size_t index, const Step& step, std::string_view piece, size_t lead,
                     RegexScratch& scratch, const Sink& sink) const;
  void split(size_t index, const Step& step, std::string_view piece, size_t lead,
             RegexScratch& scratch, const Sink& sink) const;
  void metaspace(size_t index, const Step& step, std::string_view piece, size_t lead,
                 RegexScratch& scratch, const Sink& sink) const;
  bool add_scanner(size_t index);

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

// A row of the table of tokenizer.ggml.pre.
struct PreTokenizerRow {
  std::string_view names;  // all names of the row, between spaces
  std::vector<std::string_view> patterns;
  bool ignore_merges = false;  // a word that is an entry is that entry, whatever the merges say
  bool add_bos = false;        // where the file does not say
  bool byte_level = true;      // false: characters with byte fallback, spaces as U+2581
  bool words_only = false;     // what lies between the matches is dropped, and no space is marked
};

const PreTokenizerRow* find_pre_tokenizer(std::string_view name);  // nullptr when unknown
std::vector<const PreTokenizerRow*> pre_tokenizer_rows();

}  // namespace hearth
