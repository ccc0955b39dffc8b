// SentencePieceTokenizer: byte-pair encoding by scores, as SentencePiece does it ("llama" in GGUF:
// Llama 1 and 2, Mistral, Gemma): of all adjacent pairs whose text is an entry, the one of the
// highest score is joined first. Characters without an entry become bytes; without byte entries a
// run of them is one unknown token. An unused entry that was made is taken apart again, the way it
// was last put together anywhere in the text.
#pragma once

#include <array>
#include <unordered_map>

#include "tokenizer/byte_trie.h"
#include "tokenizer/space_cutter.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

class SentencePieceTokenizer final : public TextTokenizer {
 public:
  // `space_prefix`: a text, and each part of it after a special token, gets a space in front.
  // `user_defined`: entries that are found in normalized text before anything is merged, and
  // never merged. Entries whose score is NaN are not the model's and never made.
  // REQUIRES: scores, one for each entry.
  SentencePieceTokenizer(Vocabulary vocabulary, Normalizer normalizer, bool space_prefix,
                         ByteTrie user_defined = {});

 private:
  // How unused entries were put together: from the text to the bytes of the left part.
  using Splits = std::unordered_map<std::string_view, uint32_t>;

  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override;

  void encode_word(std::string_view word, EncodeScratch& scratch, std::vector<TokenId>& out) const;
  bool encode_used(std::string_view text, EncodeScratch& scratch, std::vector<TokenId>& out) const;
  void encode_unused(std::string_view text, EncodeScratch& scratch,
                     std::vector<TokenId>& out) const;
  void split_characters(std::string_view word, std::vector<Symbol>& symbols) const;
  TokenId mergeable(std::string_view text) const;
  Merge merge_of(std::string_view word, const Symbol& left, const Symbol& right) const;
  void push_taken_apart(std::string_view text, const Splits& splits, size_t begin,
                        std::vector<TokenId>& out) const;
  void push_bytes(std::string_view text, size_t begin, std::vector<TokenId>& out) const;

  SpaceCutter cutter_;
  ByteTrie user_defined_;
  bool has_unused_ = false;
  size_t entry_bytes_max_ = 0;
  std::array<TokenId, 256> byte_ids_{};
};

Result<std::shared_ptr<const Tokenizer>> make_sentencepiece_from_gguf(const Metadata& metadata);

}  // namespace hearth
