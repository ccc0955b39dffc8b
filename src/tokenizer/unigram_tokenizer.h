// UnigramTokenizer: of all ways to write a text in entries, the one whose scores (logarithms of
// probabilities) have the greatest sum, found by Viterbi's algorithm over the bytes of the text in
// time proportional to it. Source: Kudo 2018, "Subword Regularization", as SentencePiece and
// Hugging Face's `Unigram` compute it: a character that is no entry of its own may also be unknown,
// for 10 less than the lowest score; of equal sums the one found first, from the left, stays.
//
// The two references differ in what follows from their arithmetic and their tables; `Rules` says
// whose ids are wanted.
#pragma once

#include <array>

#include "tokenizer/byte_trie.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/text_tokenizer.h"

namespace hearth {

struct UnigramOptions {
  enum class Rules : uint8_t {
    // As version 0.2.3. Sums are float, lowered to zero where they pass 100000; only normal and
    // user-defined entries are found in text; a user-defined entry scores (bytes - 1) / 10; with
    // byte fallback each unknown character becomes its bytes, else a run of them is one unknown
    // token. The whole text is one word.
    kSentencePiece,
    // Sums are double; every entry but control tokens is found in text; a run of unknown characters
    // is one piece, which is an entry, or its bytes (where all of them have entries and byte
    // fallback is on), or one unknown token. Words come from the pre-tokenizer.
    kHuggingFace,
  } rules = Rules::kSentencePiece;
  bool byte_fallback = false;
  bool unescape_spaces = true;        // U+2581 is decoded as a space
  bool strips_leading_space = false;  // decode() drops one leading space
};

class UnigramTokenizer final : public TextTokenizer {
 public:
  // `scores`: one for each entry; NaN for those that the model does not know, such as tokens added
  // to it later. kCorrupt for other counts and for infinite scores; kTooLarge as ByteTrie::build().
  static Result<std::shared_ptr<const Tokenizer>> make(Vocabulary vocabulary, Normalizer normalizer,
                                                       PreTokenizer pre_tokenizer,
                                                       std::vector<double> scores,
                                                       const UnigramOptions& options);

 private:
  struct Piece {
    size_t begin, end;
    TokenId id;  // unknown_, which may be -1, for a character without an entry
  };
  template <class Sum>
  class Search;

  UnigramTokenizer(Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer,
                   std::vector<double> scores, const UnigramOptions& options);
  Result<void> build();
  bool is_findable(TokenId id) const;

  void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                    std::vector<TokenId>& out) const override;
  std::string entry_bytes(std::string_view entry) const override;

  void encode_word(std::string_view word, EncodeScratch& scratch, std::vector<TokenId>& out) const;
  void push_pieces(std::string_view word, const std::vector<Piece>& pieces,
                   std::vector<TokenId>& out) const;
  void push_unknown(std::string_view text, std::vector<TokenId>& out) const;

  PreTokenizer pre_tokenizer_;
  std::vector<double> piece_scores_;
  UnigramOptions options_;
  ByteTrie trie_;
  double unknown_score_ = 0;
  std::array<TokenId, 256> byte_ids_{};
};

// "t5" in GGUF. kCorrupt for a charsmap that is no array of bytes, and as make().
Result<std::shared_ptr<const Tokenizer>> make_unigram_from_gguf(const Metadata& metadata);

}  // namespace hearth
