// WordTokenizer: what the models have in common that know words and nothing of spaces: WordPiece
// (BERT) and WordLevel. The pre-tokenizer makes the words.
#pragma once

#include "tokenizer/byte_trie.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

class WordTokenizer : public TextTokenizer {
 protected:
  WordTokenizer(Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer);

  // Appends the ids of one word, which is not empty.
  virtual void encode_word(std::string_view word, std::vector<TokenId>& out) const = 0;

  void push_unknown(std::vector<TokenId>& out) const;

 private:
  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const final;
  std::string entry_bytes(std::string_view entry) const final { return std::string(entry); }

  PreTokenizer pre_tokenizer_;
};

// WordLevel: a word is an entry or unknown.
class WordLevelTokenizer final : public WordTokenizer {
 public:
  WordLevelTokenizer(Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer);

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& out) const override;
};

struct WordPieceOptions {
  std::string continuing_prefix = "##";  // of entries that stand behind others in a word
  size_t characters_max = 100;           // longer words are unknown
};

// WordPiece: the longest entry that begins the word, then the longest continuation of what is
// left, and so on; a word that cannot be written to its end is unknown as a whole. Source: Wu et
// al. 2016, as BERT has it. Entries of more than ByteTrie::kBytesMax bytes are not found.
class WordPieceTokenizer final : public WordTokenizer {
 public:
  static Result<std::shared_ptr<const Tokenizer>> make(Vocabulary vocabulary,
                                                       Normalizer normalizer,
                                                       PreTokenizer pre_tokenizer,
                                                       const WordPieceOptions& options);

 private:
  WordPieceTokenizer(Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer,
                     const WordPieceOptions& options);
  Result<void> build();
  void encode_word(std::string_view word, std::vector<TokenId>& out) const override;

  WordPieceOptions options_;
  ByteTrie starts_, continuations_;
};

// "bert" in GGUF.
Result<std::shared_ptr<const Tokenizer>> make_wordpiece_from_gguf(const Metadata& metadata);

}  // namespace hearth
