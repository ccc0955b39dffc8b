// PlamoTokenizer: PLaMo 2 and 3 ("plamo2" in GGUF). Of all ways to write a text in entries and
// unknown characters, the one of the greatest sum of scores, computed from the end in whole
// numbers: a score counts in ten-thousandths, an unknown character -10,000,000; of equal sums the
// longest first entry is taken. Unknown characters become their bytes. Source: the tokenizer that
// PLaMo's authors publish with the model, which finds the entries at a place by an Aho-Corasick
// automaton over the reversed text; a trie walked forward finds the same ones.
#pragma once

#include <array>

#include "tokenizer/byte_trie.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

class PlamoTokenizer final : public TextTokenizer {
 public:
  // REQUIRES: scores, one for each entry. kCorrupt unless all 256 byte entries are there;
  // kTooLarge as ByteTrie::build().
  static Result<std::shared_ptr<const Tokenizer>> make(Vocabulary vocabulary);

 private:
  explicit PlamoTokenizer(Vocabulary vocabulary)
      : TextTokenizer(std::move(vocabulary), Normalizer()) {}
  Result<void> build();
  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override { return std::string(entry); }
  std::vector<TokenId> find_best(std::string_view text) const;

  std::vector<int64_t> costs_;  // of each entry
  ByteTrie trie_;
  std::array<TokenId, 256> byte_ids_{};
};

Result<std::shared_ptr<const Tokenizer>> make_plamo_from_gguf(const Metadata& metadata);

}  // namespace hearth
