// Tokenizer: text <-> token ids, equal to the reference tokenizer of each model. Immutable and
// thread-safe once made. README.md lists the kinds of model; each pre-tokenizer is one row of a
// table.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/text_range.h"
#include "base/utf8.h"
#include "container/metadata.h"
#include "tokenizer/text_encoding.h"
#include "tokenizer/entry_index.h"

namespace hearth {

using TokenId = int32_t;

class Decoder;
class DecoderRun;

// What a token is; the numbers are GGUF's tokenizer.ggml.token_type.
enum class TokenKind : uint8_t {
  kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6,
};

std::string_view name_of(TokenKind kind);

struct EncodeOptions {
  // Add what the model puts around a text (BOS, EOS) as its file says.
  bool add_special = true;
  // Recognise control tokens written in the text, such as "<|im_end|>".
  bool parse_special = true;
  // Bytes of the text that somebody other than its author wrote, sorted and apart: no control
  // token and no other token that opens or closes a turn takes any of them in, whatever
  // parse_special says. All else is as without them.
  std::span<const TextRange> foreign = {};
};

// How decode() differs from joining what piece() gives, beyond one leading space; as SentencePiece
// has it.
struct DecodeRules {
  std::string unknown_text;             // what the unknown token becomes
  bool unescapes_user_defined = false;  // user-defined entries are written like normal ones
  bool strips_entries_only = false;  // a space that byte or unknown tokens make is not dropped
  bool strips_every_piece = false;   // each piece loses a leading space, until something is left
  // What is done to the whole text at last (a denormalizer), or nothing.
  std::function<std::string(std::string_view text)> rewrite;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // From the keys tokenizer.ggml.* of a GGUF file.
  static Result<std::shared_ptr<const Tokenizer>> from_gguf(const Metadata& metadata);
  // From Hugging Face's tokenizer.json and (nullable members) tokenizer_config.json.
  static Result<std::shared_ptr<const Tokenizer>> from_hugging_face(const Json& tokenizer,
                                                                    const Json& config);
  // The folder form: reads both files.
  static Result<std::shared_ptr<const Tokenizer>> from_folder(const std::string& folder);

  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const = 0;

  // Two texts with what the model puts around them, for rerankers and models like BERT.
  // options.foreign is not looked at.
  virtual TextEncoding encode_pair(std::string_view first, std::string_view second,
                               EncodeOptions options) const = 0;

  // Texts and pairs with type ids and masks, cut and filled up as truncation() and padding() say,
  // which nothing else looks at. kInvalid where texts cannot be cut that far.
  virtual Result<std::vector<TextEncoding>> encode_batch(std::span<const TextPair> texts,
                                                     EncodeOptions options) const = 0;
  const std::optional<Truncation>& truncation() const { return truncation_; }
  const std::optional<Padding>& padding() const { return padding_; }

  // The bytes that a token stands for in running text (no stripping of a leading space); empty
  // for control tokens unless `special`. Ids out of range give an empty string.
  virtual std::string piece(TokenId id, bool special) const = 0;

  // The text of ids as the reference decodes them (SentencePiece: without the leading space that
  // it added). Invalid UTF-8 is left as it is.
  virtual std::string decode(std::span<const TokenId> ids, bool special) const = 0;

  int size() const { return static_cast<int>(entries_.size()); }
  // The entry as the vocabulary writes it ("Ġhello", "▁hello", "<0x0A>"). REQUIRES: id in range.
  const std::string& entry(TokenId id) const { return entries_[static_cast<size_t>(id)]; }
  TokenKind token_kind(TokenId id) const { return kinds_[static_cast<size_t>(id)]; }
  TokenId find(std::string_view entry) const;  // -1 when absent

  TokenId bos() const { return bos_; }  // -1 where the model has none
  TokenId eos() const { return eos_; }
  bool adds_bos() const { return add_bos_; }
  bool adds_eos() const { return add_eos_; }
  // Ends a generation: EOS, EOT, and the end-of-turn tokens that models of the field use.
  bool ends_generation(TokenId id) const;

  // Whether decode() drops one leading space of the text, which encode() had put there.
  bool strips_leading_space() const { return strips_leading_space_; }
  // Does so with `bytes`, what piece() gave for `id`. `start`: nothing has come out yet; updated.
  void strip_start(TokenId id, std::string& bytes, bool& start) const;
  const DecodeRules& decode_rules() const { return decode_rules_; }

  // From tokenizer.json: how entries become text; nullptr: piece by piece.
  const Decoder* decoder() const { return decoder_.get(); }
  // What such a decoder is given for an id; nothing for ids without an entry, and for control
  // tokens unless `special`.
  std::optional<std::string_view> decoder_token(TokenId id, bool special) const;

  std::string_view model_name() const { return model_name_; }          // "gpt2", "llama"
  std::string_view pre_tokenizer_name() const { return pre_name_; }    // "qwen2", "smollm", ...

 protected:
  std::vector<std::string> entries_;
  EntryIndex index_;
  std::vector<TokenKind> kinds_;
  std::vector<TokenId> end_ids_;
  TokenId bos_ = -1, eos_ = -1;
  bool add_bos_ = false, add_eos_ = false;
  bool strips_leading_space_ = false;
  DecodeRules decode_rules_;
  std::shared_ptr<const Decoder> decoder_;
  // Added tokens that are decoded to what the normalizer made of them.
  std::map<TokenId, std::string> normalized_entries_;
  std::optional<Truncation> truncation_;
  std::optional<Padding> padding_;
  std::string model_name_, pre_name_;
};

// Turns ids into text as they come, in whole characters: push() returns what is certain so far,
// finish() the rest. Equal, piece by piece, to decoding the whole.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool special = false);
  ~StreamDecoder();
  std::string push(TokenId id);
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool special_;
  bool start_ = true;
  Utf8Stream utf8_;
  std::string held_;  // all of it, where the text is rewritten as a whole
  std::unique_ptr<DecoderRun> run_;  // where the tokenizer has a decoder
};

}  // namespace hearth
