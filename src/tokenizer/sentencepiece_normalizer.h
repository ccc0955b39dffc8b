// SentencePieceNormalizer: what SentencePiece does to a text before it looks for pieces: the rules
// of its charsmap, white space at the ends and in runs, the space put before or behind, U+2581 for
// spaces. User-defined pieces go through unchanged but for their spaces. Immutable; any thread may
// call it.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/byte_trie.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/normalizer_step.h"

namespace hearth {

// Members of the message NormalizerSpec (the last one of TrainerSpec), with its defaults.
struct SentencePieceSpaces {
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false;  // the dummy prefix goes behind the text
};

class SentencePieceNormalizer final : public NormalizerStep {
 public:
  SentencePieceNormalizer(Charsmap charsmap, ByteTrie user_defined,
                          const SentencePieceSpaces& spaces)
      : charsmap_(std::move(charsmap)), user_defined_(std::move(user_defined)), spaces_(spaces) {}

  std::string rewrite(std::string_view text) const;
  NormalText run(NormalText in, RegexScratch&) const override { return {rewrite(in.text)}; }

 private:
  // The next stretch of the text: how many bytes it takes, and what they become.
  Charsmap::Rule next(std::string_view text) const;

  Charsmap charsmap_;
  ByteTrie user_defined_;
  SentencePieceSpaces spaces_;
};

}  // namespace hearth
