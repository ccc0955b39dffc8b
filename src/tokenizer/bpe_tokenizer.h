// BpeTokenizer: byte-pair encoding with a list of merges, over bytes (GPT-2 and its heirs) or over
// characters with byte fallback (Llama 2, Mistral and Gemma in their tokenizer.json form).
#pragma once

#include <array>
#include <string>

#include "tokenizer/merge_table.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/space_cutter.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

struct BpeOptions {
  bool byte_level = true;
  bool ignore_merges = false;  // a word that is an entry is that entry
  bool byte_fallback = false;  // unknown characters become "<0x..>" entries
  bool fuse_unknown = false;   // a run of unknown characters is one unknown token
  bool unescape_spaces = false;       // U+2581 is decoded as a space
  bool strips_leading_space = false;  // decode() drops one leading space
  // How entries are written that stand behind others in a word, and that end one. Over characters.
  std::string continuing_prefix, word_suffix;
};

class BpeTokenizer final : public TextTokenizer {
 public:
  BpeTokenizer(Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer,
               MergeTable merges, const BpeOptions& options);

 private:
  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override;

  void encode_word(std::string_view word, EncodeScratch& scratch, std::vector<TokenId>& out) const;
  TokenId whole_word(std::string_view word, EncodeScratch& scratch) const;
  void merge_word(std::string_view word, EncodeScratch& scratch, std::vector<TokenId>& out) const;
  void split_bytes(std::string_view word, std::vector<Symbol>& symbols) const;
  void split_characters(std::string_view word, std::vector<Symbol>& symbols) const;
  bool push_bytes(std::string_view text, uint32_t begin, std::vector<Symbol>& symbols) const;
  bool may_cut_words() const;

  PreTokenizer pre_tokenizer_;
  MergeTable merges_;
  BpeOptions options_;
  SpaceCutter cutter_;  // for characters
  bool cuts_words_ = false;
  // The entry of each byte: an alphabet character, or "<0x..>"; -1 where there is none.
  std::array<TokenId, 256> byte_ids_{};
};

Result<std::shared_ptr<const Tokenizer>> make_bpe_from_gguf(const Metadata& metadata);

}  // namespace hearth
