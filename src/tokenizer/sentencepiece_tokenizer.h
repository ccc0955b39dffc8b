// SentencePieceTokenizer: byte-pair encoding by scores, as SentencePiece does it ("llama" in GGUF:
// Llama 1 and 2, Mistral, Gemma): of all adjacent pairs whose text is an entry, the one of the
// highest score is joined first. Characters without an entry become bytes.
#pragma once

#include <array>

#include "tokenizer/space_cutter.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

class SentencePieceTokenizer final : public TextTokenizer {
 public:
  // `space_prefix`: a text, and each part of it after a special token, gets a space in front.
  // REQUIRES: scores, one for each entry.
  SentencePieceTokenizer(Vocabulary vocabulary, Normalizer normalizer, bool space_prefix);

 private:
  void encode_plain(std::string_view text, bool first, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override;

  void encode_word(std::string_view word, EncodeScratch& scratch, std::vector<TokenId>& out) const;
  TokenId mergeable(std::string_view text) const;
  void push_bytes(std::string_view text, std::vector<TokenId>& out) const;

  SpaceCutter cutter_;
  size_t entry_bytes_max_ = 0;
  std::array<TokenId, 256> byte_ids_{};
};

Result<std::shared_ptr<const Tokenizer>> make_sentencepiece_from_gguf(const Metadata& metadata);

}  // namespace hearth
