// Vocabulary: what every kind of tokenizer is made from, whichever file it came from. The readers
// (gguf_vocabulary.cc, hugging_face.cc) fill it in, and the tokenizers take it over.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "container/metadata.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/tokenizer.h"

namespace hearth {

class PostProcessor;

struct Vocabulary {
  std::vector<std::string> entries;
  EntryIndex index;
  std::vector<TokenKind> kinds;  // as many as entries
  std::vector<float> scores;     // as many as entries, or none
  std::vector<TokenId> end_ids;  // sorted
  TokenId bos = -1, eos = -1, unknown = -1;
  bool add_bos = false, add_eos = false;
  // Around a text with add_special; usually {bos} and {eos} as the two flags say.
  std::vector<TokenId> prefix, suffix;
  std::string model_name, pre_name;
  // Entries from here on were added to the model later: it does not make them of text.
  TokenId model_end = INT32_MAX;
  DecodeRules decode_rules;
  // Of a tokenizer.json; nullptr: prefix and suffix, and piece by piece.
  std::shared_ptr<const PostProcessor> post_processor;
  std::shared_ptr<const Decoder> decoder;
  std::map<TokenId, std::string> normalized_entries;  // added tokens that the normalizer changes
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
  // What the normalizer puts in front of a text, where only the first part of one keeps it: a part
  // after a special token does not.
  std::string first_prefix;
  // Looked for in the text as it is, and in what the normalizer makes of it.
  std::vector<SpecialToken> specials, normalized_specials;

  TokenId find(std::string_view entry) const { return index.find(entry, entries); }
  // Makes prefix and suffix of bos, eos and the two flags; a flag without its token is cleared.
  void set_affixes() {
    add_bos = add_bos && bos >= 0;
    add_eos = add_eos && eos >= 0;
    prefix = add_bos ? std::vector<TokenId>{bos} : std::vector<TokenId>{};
    suffix = add_eos ? std::vector<TokenId>{eos} : std::vector<TokenId>{};
  }
};

// More entries than any model has; ids and counts from outside stay below it.
inline constexpr size_t kEntriesMax = size_t{1} << 22;

// The ids that end a generation: eos, `more`, and control or user-defined entries with one of
// the names by which models call their end of turn.
void find_end_ids(Vocabulary& vocabulary, const std::vector<TokenId>& more);

// Marks the special tokens that foreign text must not be able to write: control tokens, and the
// user-defined ones that open or close a turn or an answer. REQUIRES: end_ids are there.
void guard_turn_tokens(Vocabulary& vocabulary);

// Entries, kinds, scores, special ids and special tokens from the keys tokenizer.ggml.*.
Result<Vocabulary> read_gguf_vocabulary(const Metadata& metadata);

}  // namespace hearth
