#include "tokenizer/sentencepiece_tokenizer.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"

namespace hearth {
namespace {

// The higher the score, the lower the rank; NaN, which no model has, comes last.
uint32_t rank_of(float score) {
  if (!(score == score)) return kNoRank - 1;
  const auto bits = std::bit_cast<uint32_t>(score);
  const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return std::min(~ascending, kNoRank - 1);
}

// User-defined entries with spaces are looked for where spaces are U+2581 already, so that both
// ways to write one are the same, as they are to SentencePiece.
void move_spaced_specials(Vocabulary& vocabulary) {
  std::vector<SpecialToken> kept;
  for (SpecialToken& token : vocabulary.specials) {
    if (token.control || token.text.find(' ') == std::string::npos) {
      kept.push_back(std::move(token));
      continue;
    }
    std::string text;
    for (const char c : token.text) {
      if (c == ' ') text += kSpaceMark;
      else text += c;
    }
    token.text = std::move(text);
    vocabulary.normalized_specials.push_back(std::move(token));
  }
  vocabulary.specials = std::move(kept);
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(Vocabulary vocabulary, Normalizer normalizer,
                                               bool space_prefix)
    : TextTokenizer(std::move(vocabulary), std::move(normalizer)) {
  CHECK(scores_.size() == entries_.size());
  strips_leading_space_ = space_prefix;
  byte_ids_.fill(-1);
  for (size_t id = 0; id < entries_.size(); ++id) {
    entry_bytes_max_ = std::max(entry_bytes_max_, entries_[id].size());
    if (kinds_[id] != TokenKind::kByte) continue;
    const int byte = byte_of_entry(entries_[id]);
    if (byte >= 0) byte_ids_[static_cast<size_t>(byte)] = static_cast<TokenId>(id);
  }
  cutter_.build(entries_);
}

void SentencePieceTokenizer::encode_plain(std::string_view text, bool, EncodeScratch& scratch,
                                          std::vector<TokenId>& out) const {
  while (!text.empty()) {
    const size_t end = std::min(cutter_.word_end(text, 0), kWordBytesMax);
    encode_word(text.substr(0, end), scratch, out);
    text.remove_prefix(end);
  }
}

// The entry of this text, if merging may make it: control tokens and bytes are made otherwise.
TokenId SentencePieceTokenizer::mergeable(std::string_view text) const {
  if (text.size() > entry_bytes_max_) return -1;
  const TokenId id = find(text);
  if (id < 0) return -1;
  const TokenKind kind = token_kind(id);
  const bool reserved = kind == TokenKind::kControl || kind == TokenKind::kUnknown ||
                        kind == TokenKind::kByte;
  return reserved ? -1 : id;
}

void SentencePieceTokenizer::encode_word(std::string_view word, EncodeScratch& scratch,
                                         std::vector<TokenId>& out) const {
  WordCache::Slot* slot = scratch.cache.slot_of(word);
  if (slot && slot->holds(word)) {
    out.insert(out.end(), slot->ids.begin(), slot->ids.begin() + slot->count);
    return;
  }
  const size_t before = out.size();
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  for (size_t at = 0; at < word.size();) {
    const size_t bytes = decode_utf8(word, at).bytes;
    symbols.push_back({.begin = static_cast<uint32_t>(at), .bytes = static_cast<uint32_t>(bytes),
                       .id = mergeable(word.substr(at, bytes))});
    at += bytes;
  }
  merge_symbols(symbols, scratch.heap, [&](const Symbol& left, const Symbol& right) {
    const TokenId id = mergeable(word.substr(left.begin, left.bytes + right.bytes));
    return id < 0 ? Merge{} : Merge{rank_of(scores_[static_cast<size_t>(id)]), id};
  });
  for (uint32_t at = 0; at != kNoSymbol; at = symbols[at].next) {
    const Symbol& symbol = symbols[at];
    if (symbol.id >= 0) out.push_back(symbol.id);
    else push_bytes(word.substr(symbol.begin, symbol.bytes), out);
  }
  if (slot) WordCache::store(*slot, word, out.data() + before, out.size() - before);
}

void SentencePieceTokenizer::push_bytes(std::string_view text, std::vector<TokenId>& out) const {
  for (const char c : text) {
    const TokenId id = byte_ids_[static_cast<uint8_t>(c)];
    if (id >= 0) {
      out.push_back(id);
    } else {
      // Without byte entries the whole character is one unknown token.
      if (unknown_ >= 0) out.push_back(unknown_);
      return;
    }
  }
}

std::string SentencePieceTokenizer::entry_bytes(std::string_view entry) const {
  std::string out;
  size_t at = 0;
  for (size_t mark; (mark = entry.find(kSpaceMark, at)) != std::string_view::npos;
       at = mark + kSpaceMark.size()) {
    out += entry.substr(at, mark - at);
    out += ' ';
  }
  return out += entry.substr(at);
}

Result<std::shared_ptr<const Tokenizer>> make_sentencepiece_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  if (vocabulary.scores.empty())
    return fail(Code::kCorrupt, "tokenizer.ggml.scores is missing, which the model 'llama' needs");
  if (TRY(metadata.boolean("tokenizer.ggml.remove_extra_whitespaces", false)))
    return fail(Code::kUnsupported, "tokenizer.ggml.remove_extra_whitespaces is not supported");
  const bool space_prefix = TRY(metadata.boolean("tokenizer.ggml.add_space_prefix", true));
  vocabulary.add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token", true));
  vocabulary.add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token", false));
  vocabulary.set_affixes();
  move_spaced_specials(vocabulary);
  Normalizer normalizer;
  if (space_prefix) normalizer.add_prepend(std::string(kSpaceMark));
  normalizer.add_replace(" ", std::string(kSpaceMark));
  return std::make_shared<const SentencePieceTokenizer>(std::move(vocabulary),
                                                        std::move(normalizer), space_prefix);
}

}  // namespace hearth
