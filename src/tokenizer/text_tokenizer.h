// TextTokenizer: what the kinds of tokenizer have in common: the special tokens, BOS and EOS,
// normalization, decoding. A kind adds how a stretch of plain text becomes ids.
#pragma once

#include <memory>
#include <mutex>

#include "tokenizer/merge.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace hearth {

// What one encode() call works with; kept between calls for its memory and its cache.
struct EncodeScratch {
  RegexScratch regex;
  WordCache cache;
  std::vector<Symbol> symbols;
  std::vector<uint64_t> heap;
  std::string text;
};

// Scratch for threads that encode at the same time; each takes one and gives it back.
class ScratchPool {
 public:
  std::unique_ptr<EncodeScratch> take();
  void give_back(std::unique_ptr<EncodeScratch> scratch);

 private:
  static constexpr size_t kKeptMax = 16;
  std::mutex mutex_;
  std::vector<std::unique_ptr<EncodeScratch>> free_;
};

class TextTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const final;
  TextEncoding encode_pair(std::string_view first, std::string_view second,
                       EncodeOptions options) const final;
  Result<std::vector<TextEncoding>> encode_batch(std::span<const TextPair> texts,
                                             EncodeOptions options) const final;
  std::string piece(TokenId id, bool special) const final;
  std::string decode(std::span<const TokenId> ids, bool special) const final;

 protected:
  TextTokenizer(Vocabulary vocabulary, Normalizer normalizer);

  // Appends the ids of normalized text without special tokens. `lead`: the bytes at its front that
  // stem from the first character of what the user gave; 0 where something came before it.
  virtual void encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                            std::vector<TokenId>& out) const = 0;
  // The bytes of a normal entry.
  virtual std::string entry_bytes(std::string_view entry) const = 0;

  // The entry that the model may make of text: -1 for control tokens, which text never becomes,
  // and for tokens that the model does not know.
  TokenId find_in_model(std::string_view text) const {
    const TokenId id = find(text);
    if (id < 0 || id >= model_end_) return -1;
    const TokenKind kind = token_kind(id);
    return kind == TokenKind::kControl || kind == TokenKind::kUnknown ? -1 : id;
  }

  std::vector<float> scores_;
  TokenId unknown_ = -1;

 private:
  // Where a piece between special tokens comes from.
  struct Origin {
    size_t lead;   // its bytes that stem from the first character of all
    bool control;  // control tokens are asked for
    bool foreign;  // some of it is not its author's
  };
  void encode_body(std::string_view text, EncodeOptions options, std::vector<TokenId>& out) const;
  void encode_normalized(std::string_view text, const Origin& origin, EncodeScratch& scratch,
                         std::vector<TokenId>& out) const;

  TokenId model_end_;
  Normalizer normalizer_;
  SpecialTokens specials_, normalized_specials_;
  std::shared_ptr<const PostProcessor> post_processor_;
  std::vector<TokenId> prefix_, suffix_;
  bool has_affixes_ = true;  // prefix_ and suffix_ say all that post_processor_ does to one text
  std::string first_prefix_;
  mutable ScratchPool pool_;
};

// Words longer than this are cut, so that positions in a word fit 32 bits.
inline constexpr size_t kWordBytesMax = size_t{1} << 30;

}  // namespace hearth
