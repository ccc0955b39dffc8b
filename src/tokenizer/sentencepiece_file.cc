#include "tokenizer/sentencepiece_file.h"

#include <algorithm>
#include <array>

#include "base/out_of_memory.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/protobuf_reader.h"

namespace hearth {
namespace {

using enum ProtobufReader::Wire;

Result<void> read_piece(std::string_view bytes, SentencePieceModel& out) {
  std::string text;
  float score = 0;
  TokenKind kind = TokenKind::kNormal;
  ProtobufReader in(bytes);
  while (TRY(in.next())) {
    if (in.is(1, kBytes)) text = in.bytes();
    else if (in.is(2, kFixed32)) score = in.float32();
    else if (in.is(3, kVarint) && in.number() >= 1 && in.number() <= 6)
      kind = static_cast<TokenKind>(in.number());
  }
  constexpr size_t kPieceBytesMax = 8000;  // the library's own limit
  if (text.empty() || text.size() >= kPieceBytesMax || text.find('\0') != std::string::npos)
    return fail(Code::kCorrupt, "tokenizer.model: piece {} is empty, too long or has a NUL",
                out.pieces.size());
  if (out.pieces.size() == kEntriesMax)
    return fail(Code::kTooLarge, "tokenizer.model: more than {} pieces", kEntriesMax);
  out.pieces.push_back(std::move(text));
  out.scores.push_back(score);
  out.kinds.push_back(kind);
  return {};
}

Result<void> read_trainer_spec(std::string_view bytes, SentencePieceModel& out) {
  ProtobufReader in(bytes);
  while (TRY(in.next())) {
    if (in.is(3, kVarint) && in.number() >= 1 && in.number() <= 4)
      out.type = static_cast<SentencePieceModel::Type>(in.number());
    else if (in.is(24, kVarint)) out.spaces.treat_whitespace_as_suffix = in.flag();
    else if (in.is(35, kVarint)) out.byte_fallback = in.flag();
    else if (in.is(44, kBytes)) out.unknown_text = in.bytes();
    else if (in.is(46, kBytes) && !in.bytes().empty()) out.bos_piece = in.bytes();
    else if (in.is(47, kBytes) && !in.bytes().empty()) out.eos_piece = in.bytes();
  }
  return {};
}

Result<void> read_normalizer_spec(std::string_view bytes, SentencePieceSpaces& spaces,
                                  std::string& charsmap) {
  ProtobufReader in(bytes);
  while (TRY(in.next())) {
    if (in.is(2, kBytes)) charsmap = in.bytes();
    else if (in.is(3, kVarint)) spaces.add_dummy_prefix = in.flag();
    else if (in.is(4, kVarint)) spaces.remove_extra_whitespaces = in.flag();
    else if (in.is(5, kVarint)) spaces.escape_whitespaces = in.flag();
  }
  return {};
}

bool is_found_in_text(TokenKind kind) {
  return kind == TokenKind::kNormal || kind == TokenKind::kUserDefined ||
         kind == TokenKind::kUnused;
}

Result<void> check_pieces(SentencePieceModel& model) {
  EntryIndex index;
  index.build(model.pieces);
  std::array<bool, 256> bytes{};
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const std::string& text = model.pieces[i];
    const TokenKind kind = model.kinds[i];
    const auto last = static_cast<size_t>(index.find(text, model.pieces));
    if (last != i && is_found_in_text(model.kinds[last]) == is_found_in_text(kind))
      return fail(Code::kCorrupt, "tokenizer.model: pieces {} and {} are the same", i, last);
    if (kind == TokenKind::kUnknown) {
      if (model.unknown >= 0)
        return fail(Code::kCorrupt, "tokenizer.model: pieces {} and {} are both the unknown one",
                    model.unknown, i);
      model.unknown = static_cast<TokenId>(i);
    }
    if (kind != TokenKind::kByte) continue;
    const int byte = byte_of_entry(text);
    if (byte < 0 || !model.byte_fallback)
      return fail(Code::kCorrupt, "tokenizer.model: piece {} is a byte{}", i,
                  byte < 0 ? " by kind only" : ", but byte_fallback is off");
    bytes[static_cast<size_t>(byte)] = true;
  }
  if (model.unknown < 0 && !model.byte_fallback)
    return fail(Code::kCorrupt, "tokenizer.model: no unknown piece");
  if (model.byte_fallback && std::find(bytes.begin(), bytes.end(), false) != bytes.end())
    return fail(Code::kCorrupt, "tokenizer.model: byte_fallback without all 256 byte pieces");
  return {};
}

Result<SentencePieceModel> parse(std::string_view bytes) {
  SentencePieceModel out;
  ProtobufReader in(bytes);
  while (TRY(in.next())) {
    if (in.is(1, kBytes)) TRY(read_piece(in.bytes(), out));
    else if (in.is(2, kBytes)) TRY(read_trainer_spec(in.bytes(), out));
    else if (in.is(3, kBytes)) TRY(read_normalizer_spec(in.bytes(), out.spaces, out.charsmap));
    else if (in.is(5, kBytes))
      TRY(read_normalizer_spec(in.bytes(), out.denormalizer_spaces, out.denormalizer_charsmap));
  }
  TRY(check_pieces(out));
  return out;
}

}  // namespace

Result<SentencePieceModel> parse_sentencepiece(std::string_view bytes) {
  return catching_bad_alloc([&] { return parse(bytes); });
}

}  // namespace hearth
