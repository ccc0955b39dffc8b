// RwkvTokenizer: RWKV "World" ("rwkv" in GGUF): from left to right, always the longest entry.
// Entries are bytes, written as Python writes them: \t, \n, \r, \\, \' and \xFF for what is no
// printable ASCII.
#pragma once

#include "tokenizer/byte_trie.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

class RwkvTokenizer final : public TextTokenizer {
 public:
  // kTooLarge as ByteTrie::build().
  static Result<std::shared_ptr<const Tokenizer>> make(Vocabulary vocabulary);

 private:
  explicit RwkvTokenizer(Vocabulary vocabulary)
      : TextTokenizer(std::move(vocabulary), Normalizer()) {}
  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override;

  ByteTrie trie_;
};

// The bytes that an entry stands for; escapes that are none stay without their backslash.
std::string unescape_rwkv(std::string_view entry);

Result<std::shared_ptr<const Tokenizer>> make_rwkv_from_gguf(const Metadata& metadata);

}  // namespace hearth
