// tokenizer.model: SentencePiece's own file, a protobuf message ModelProto. Encodes and decodes as
// the sentencepiece library does; what Hugging Face's tokenizer_config.json and added_tokens.json
// say beside it (BOS, EOS, tokens added later) comes on top.
#pragma once

#include <memory>

#include "base/json.h"
#include "base/result.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/vocabulary.h"

namespace hearth {

// The members of a ModelProto that say how to encode and decode, with their defaults.
struct SentencePieceModel {
  enum class Type : uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 } type = Type::kUnigram;
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<TokenKind> kinds;  // ModelProto's numbers are those of TokenKind
  TokenId unknown = -1;          // the one piece of that kind; with byte_fallback there may be none
  bool byte_fallback = false;
  std::string bos_piece = "<s>", eos_piece = "</s>";
  std::string unknown_text = " \xE2\x81\x87 ";  // what decoding makes of the unknown piece
  SentencePieceSpaces spaces;
  std::string charsmap;
  SentencePieceSpaces denormalizer_spaces;
  std::string denormalizer_charsmap;  // without one nothing is denormalized
};

// kCorrupt for what is no such message and for what the library refuses to load: a piece that is
// empty or comes twice, no unknown piece or two, byte pieces that do not go with byte_fallback.
Result<SentencePieceModel> parse_sentencepiece(std::string_view bytes);

// `config` and `added` (tokenizer_config.json, added_tokens.json) may be null. kUnsupported for
// classes of tokenizer whose ids are not those of the file.
Result<std::shared_ptr<const Tokenizer>> make_from_sentencepiece(std::string_view bytes,
                                                                 const Json& config,
                                                                 const Json& added);

}  // namespace hearth
