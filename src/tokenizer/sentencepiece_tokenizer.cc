#include "tokenizer/sentencepiece_tokenizer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/sentencepiece_normalizer.h"

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
                                               bool space_prefix, ByteTrie user_defined)
    : TextTokenizer(std::move(vocabulary), std::move(normalizer)),
      user_defined_(std::move(user_defined)) {
  CHECK(scores_.size() == entries_.size());
  strips_leading_space_ = space_prefix;
  byte_ids_.fill(-1);
  for (size_t id = 0; id < entries_.size(); ++id) {
    if (!std::isnan(scores_[id])) {
      entry_bytes_max_ = std::max(entry_bytes_max_, entries_[id].size());
      has_unused_ = has_unused_ || kinds_[id] == TokenKind::kUnused;
    }
    if (kinds_[id] != TokenKind::kByte) continue;
    const int byte = byte_of_entry(entries_[id]);
    if (byte >= 0) byte_ids_[static_cast<size_t>(byte)] = static_cast<TokenId>(id);
  }
  cutter_.build(entries_);
}

void SentencePieceTokenizer::encode_plain(std::string_view text, size_t, EncodeScratch& scratch,
                                          std::vector<TokenId>& out) const {
  const size_t begin = out.size();
  if (encode_used(text, scratch, out)) return;
  out.resize(begin);
  for (; !text.empty(); text.remove_prefix(std::min(text.size(), kWordBytesMax)))
    encode_unused(text.substr(0, kWordBytesMax), scratch, out);
}

// Word by word; false where an unused entry came out, which only the whole text can resolve.
bool SentencePieceTokenizer::encode_used(std::string_view text, EncodeScratch& scratch,
                                         std::vector<TokenId>& out) const {
  const size_t begin = out.size();
  while (!text.empty()) {
    const size_t end = std::min(cutter_.word_end(text, 0), kWordBytesMax);
    const size_t before = out.size();
    encode_word(text.substr(0, end), scratch, out);
    text.remove_prefix(end);
    if (has_unused_ &&
        std::any_of(out.begin() + static_cast<ptrdiff_t>(before), out.end(),
                    [&](TokenId id) { return token_kind(id) == TokenKind::kUnused; }))
      return false;
    // A run of unknown characters goes on over the ends of words.
    if (before > begin && before < out.size() && out[before] == unknown_ &&
        out[before - 1] == unknown_)
      out.erase(out.begin() + static_cast<ptrdiff_t>(before));
  }
  return true;
}

// The entry of this text, if merging may make it: control tokens and bytes are made otherwise.
TokenId SentencePieceTokenizer::mergeable(std::string_view text) const {
  if (text.size() > entry_bytes_max_) return -1;
  const TokenId id = find(text);
  if (id < 0 || std::isnan(scores_[static_cast<size_t>(id)])) return -1;
  const TokenKind kind = token_kind(id);
  const bool reserved = kind == TokenKind::kControl || kind == TokenKind::kUnknown ||
                        kind == TokenKind::kByte;
  return reserved ? -1 : id;
}

Merge SentencePieceTokenizer::merge_of(std::string_view word, const Symbol& left,
                                       const Symbol& right) const {
  const auto is_frozen = [&](const Symbol& symbol) {
    return symbol.id >= 0 && token_kind(symbol.id) == TokenKind::kUserDefined;
  };
  if (!user_defined_.empty() && (is_frozen(left) || is_frozen(right))) return {};
  const TokenId id = mergeable(word.substr(left.begin, left.bytes + right.bytes));
  return id < 0 ? Merge{} : Merge{rank_of(scores_[static_cast<size_t>(id)]), id};
}

// Characters, and user-defined entries as wholes.
void SentencePieceTokenizer::split_characters(std::string_view word,
                                              std::vector<Symbol>& symbols) const {
  symbols.clear();
  for (size_t at = 0; at < word.size();) {
    const auto found = user_defined_.longest(word.substr(at));
    const size_t bytes = found.bytes > 0 ? found.bytes : decode_utf8(word, at).bytes;
    symbols.push_back(
        {.begin = static_cast<uint32_t>(at), .bytes = static_cast<uint32_t>(bytes),
         .id = found.bytes > 0 ? found.value : mergeable(word.substr(at, bytes))});
    at += bytes;
  }
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
  split_characters(word, symbols);
  merge_symbols(symbols, scratch.heap, [&](const Symbol& left, const Symbol& right) {
    return merge_of(word, left, right);
  });
  for (uint32_t at = 0; at != kNoSymbol; at = symbols[at].next) {
    const Symbol& symbol = symbols[at];
    if (symbol.id >= 0) out.push_back(symbol.id);
    else push_bytes(word.substr(symbol.begin, symbol.bytes), before, out);
  }
  if (slot) WordCache::store(*slot, word, out.data() + before, out.size() - before);
}

// The whole text as one word. The reference remembers, for each unused text that a pair could
// make, the last pair that it looked at, and looks at a new symbol's left pair before its right
// one; merge_symbols() asks the other way round, so the right one is then written again.
void SentencePieceTokenizer::encode_unused(std::string_view text, EncodeScratch& scratch,
                                           std::vector<TokenId>& out) const {
  const size_t before = out.size();
  std::vector<Symbol>& symbols = scratch.symbols;
  split_characters(text, symbols);
  Splits splits;
  std::string_view last;  // the pair asked for before this one
  uint32_t last_left = 0;
  const auto note = [&](std::string_view pair, uint32_t left) {
    if (const TokenId id = mergeable(pair); id >= 0 && token_kind(id) == TokenKind::kUnused)
      splits[pair] = left;
  };
  merge_symbols(symbols, scratch.heap, [&](const Symbol& left, const Symbol& right) {
    const Merge merge = merge_of(text, left, right);
    const std::string_view pair =
        merge.id < 0 ? std::string_view() : text.substr(left.begin, left.bytes + right.bytes);
    if (!pair.empty()) note(pair, left.bytes);
    if (!last.empty() && last.data() == text.data() + right.begin) note(last, last_left);
    last = pair;
    last_left = left.bytes;
    return merge;
  });
  for (uint32_t at = 0; at != kNoSymbol; at = symbols[at].next) {
    const Symbol& symbol = symbols[at];
    const std::string_view piece = text.substr(symbol.begin, symbol.bytes);
    if (symbol.id >= 0) push_taken_apart(piece, splits, before, out);
    else push_bytes(piece, before, out);
  }
}

void SentencePieceTokenizer::push_taken_apart(std::string_view text, const Splits& splits,
                                              size_t begin, std::vector<TokenId>& out) const {
  std::vector<std::string_view> stack = {text};
  while (!stack.empty()) {
    const std::string_view part = stack.back();
    stack.pop_back();
    const TokenId id = mergeable(part);
    if (id >= 0 && token_kind(id) != TokenKind::kUnused) {
      out.push_back(id);
    } else if (const auto split = splits.find(part); split != splits.end()) {
      stack.push_back(part.substr(split->second));
      stack.push_back(part.substr(0, split->second));
    } else {
      push_bytes(part, begin, out);  // an unused character is unknown
    }
  }
}

// A character that is unknown; `begin` is where the ids of the text begin.
void SentencePieceTokenizer::push_bytes(std::string_view text, size_t begin,
                                        std::vector<TokenId>& out) const {
  const bool bytes = std::all_of(text.begin(), text.end(), [&](char c) {
    return byte_ids_[static_cast<uint8_t>(c)] >= 0;
  });
  if (bytes) {
    for (const char c : text) out.push_back(byte_ids_[static_cast<uint8_t>(c)]);
  } else if (unknown_ >= 0 && (out.size() == begin || out.back() != unknown_)) {
    out.push_back(unknown_);
  }
}

std::string SentencePieceTokenizer::entry_bytes(std::string_view entry) const {
  return replace_space_marks(entry);
}

Result<std::shared_ptr<const Tokenizer>> make_sentencepiece_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  if (vocabulary.scores.empty())
    return fail(Code::kCorrupt, "tokenizer.ggml.scores is missing, which the model 'llama' needs");
  const bool trims = TRY(metadata.boolean("tokenizer.ggml.remove_extra_whitespaces", false));
  const bool space_prefix = TRY(metadata.boolean("tokenizer.ggml.add_space_prefix", true));
  vocabulary.add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token", true));
  vocabulary.add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token", false));
  vocabulary.set_affixes();
  move_spaced_specials(vocabulary);
  Normalizer normalizer;
  if (trims) {
    vocabulary.decode_rules = {.strips_entries_only = true, .strips_every_piece = true};
    normalizer.add(std::make_unique<const SentencePieceNormalizer>(
        Charsmap(), ByteTrie(),
        SentencePieceSpaces{.add_dummy_prefix = space_prefix, .remove_extra_whitespaces = true}));
  } else {
    if (space_prefix) normalizer.add_prepend(std::string(kSpaceMark));
    normalizer.add_replace(" ", std::string(kSpaceMark));
  }
  return std::make_shared<const SentencePieceTokenizer>(
      std::move(vocabulary), std::move(normalizer), space_prefix || trims);
}

}  // namespace hearth
