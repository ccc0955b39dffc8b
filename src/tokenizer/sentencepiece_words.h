// SentencePieceWords: SentencePiece's models without merging: each word (from one U+2581 to the
// next) or each character is an entry. What is none becomes bytes; without byte entries a run of
// such is one unknown token.
#pragma once

#include <array>

#include "tokenizer/byte_trie.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

class SentencePieceWords final : public TextTokenizer {
 public:
  // `characters`: cut into characters and, as wholes, the `user_defined` entries. Entries whose
  // score is NaN are not the model's. REQUIRES: scores, one for each entry.
  SentencePieceWords(Vocabulary vocabulary, Normalizer normalizer, bool space_prefix,
                     bool characters, ByteTrie user_defined);

 private:
  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override;

  size_t unit_bytes(std::string_view text) const;

  bool characters_;
  ByteTrie user_defined_;
  std::array<TokenId, 256> byte_ids_{};  // all of them, or all -1
};

}  // namespace hearth
