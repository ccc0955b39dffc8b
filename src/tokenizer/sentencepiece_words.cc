#include "tokenizer/sentencepiece_words.h"

#include <cmath>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/space_cutter.h"

namespace hearth {

SentencePieceWords::SentencePieceWords(Vocabulary vocabulary, Normalizer normalizer,
                                       bool space_prefix, bool characters, ByteTrie user_defined)
    : TextTokenizer(std::move(vocabulary), std::move(normalizer)),
      characters_(characters),
      user_defined_(std::move(user_defined)) {
  CHECK(scores_.size() == entries_.size());
  strips_leading_space_ = space_prefix;
  byte_ids_.fill(-1);
  for (TokenId id = 0; id < size(); ++id) {
    const int byte = token_kind(id) == TokenKind::kByte ? byte_of_entry(entry(id)) : -1;
    if (byte >= 0) byte_ids_[static_cast<size_t>(byte)] = id;
  }
}

// The bytes of the first word or character.
size_t SentencePieceWords::unit_bytes(std::string_view text) const {
  if (!characters_) return std::min(text.find(kSpaceMark, 1), text.size());
  const auto match = user_defined_.longest(text);
  return match.bytes > 0 ? match.bytes : decode_utf8(text, 0).bytes;
}

void SentencePieceWords::encode_plain(std::string_view text, size_t, EncodeScratch&,
                                      std::vector<TokenId>& out) const {
  const size_t begin = out.size();
  while (!text.empty()) {
    const std::string_view unit = text.substr(0, unit_bytes(text));
    text.remove_prefix(unit.size());
    const TokenId id = find(unit);
    const bool known = id >= 0 && !std::isnan(scores_[static_cast<size_t>(id)]) &&
                       token_kind(id) != TokenKind::kControl &&
                       token_kind(id) != TokenKind::kUnknown &&
                       token_kind(id) != TokenKind::kByte && token_kind(id) != TokenKind::kUnused;
    if (known) {
      out.push_back(id);
    } else if (byte_ids_[0] >= 0) {
      for (const char c : unit) out.push_back(byte_ids_[static_cast<uint8_t>(c)]);
    } else if (unknown_ >= 0 && (out.size() == begin || out.back() != unknown_)) {
      out.push_back(unknown_);
    }
  }
}

std::string SentencePieceWords::entry_bytes(std::string_view entry) const {
  return replace_space_marks(entry);
}

}  // namespace hearth
