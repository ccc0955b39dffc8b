#include "tokenizer/unigram_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tokenizer/space_cutter.h"

namespace hearth {
namespace {

using Rules = UnigramOptions::Rules;

constexpr float kUnknownPenalty = 10.0f;
constexpr float kSumMax = 100000.0f;

// The bytes of a character as its first one says.
size_t character_bytes(char lead) {
  constexpr uint8_t kBytes[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
  return kBytes[static_cast<uint8_t>(lead) >> 4];
}

}  // namespace

// Viterbi over one word. Where no entry reaches across a place, the best way to it is settled: its
// pieces are handed out and only the sum is kept, so that memory is that of a stretch in which
// entries overlap.
template <class Sum>
class UnigramTokenizer::Search {
 public:
  Search(const UnigramTokenizer& tokenizer, std::string_view word)
      : tokenizer_(tokenizer), word_(word), best_(1) {}

  std::vector<Piece> run() {
    for (size_t at = 0; at < word_.size();) {
      if (best_.size() - 1 == at - base_) settle(at);
      at += step(at);
    }
    settle(word_.size());
    return std::move(pieces_);
  }

 private:
  // The best way to a place; `begin` is where its last entry begins.
  struct Best {
    Sum sum = 0;
    TokenId id = -1;
    size_t begin = SIZE_MAX;
  };

  // Extends the best way to `at` by all entries that follow; returns the bytes of the character.
  size_t step(size_t at) {
    if (std::is_same_v<Sum, float> && std::abs(best_[at - base_].sum) > kSumMax) lower(at);
    const Sum sum = best_[at - base_].sum;
    const size_t character = std::min(character_bytes(word_[at]), word_.size() - at);
    bool whole = false;
    tokenizer_.trie_.prefixes(word_.substr(at), [&](size_t bytes, TokenId id) {
      const double score = tokenizer_.piece_scores_[static_cast<size_t>(id)];
      offer(at, at + bytes, static_cast<Sum>(score) + sum, id);
      whole = whole || bytes == character;
    });
    if (!whole)
      offer(at, at + character, static_cast<Sum>(tokenizer_.unknown_score_) + sum,
            tokenizer_.unknown_);
    return character;
  }

  // SentencePiece starts again from zero when sums become large, before floats grow too coarse.
  void lower(size_t at) {
    const Sum sum = best_[at - base_].sum;
    for (size_t i = at - base_; i < best_.size(); ++i)
      if (i == at - base_ || best_[i].begin != SIZE_MAX) best_[i].sum -= sum;
  }

  void offer(size_t begin, size_t end, Sum sum, TokenId id) {
    const size_t index = end - base_;
    if (index >= best_.size()) best_.resize(index + 1);
    Best& best = best_[index];
    if (best.begin == SIZE_MAX || sum > best.sum) best = {sum, id, begin};
  }

  void settle(size_t end) {
    const size_t before = pieces_.size();
    const Sum sum = best_[end - base_].sum;
    for (size_t at = end; at > base_;) {
      const Best& best = best_[at - base_];
      pieces_.push_back({best.begin, at, best.id});
      at = best.begin;
    }
    std::reverse(pieces_.begin() + static_cast<ptrdiff_t>(before), pieces_.end());
    base_ = end;
    best_.assign(1, {.sum = sum});
  }

  const UnigramTokenizer& tokenizer_;
  std::string_view word_;
  std::vector<Best> best_;  // of the places from base_ on
  size_t base_ = 0;
  std::vector<Piece> pieces_;
};

UnigramTokenizer::UnigramTokenizer(Vocabulary vocabulary, Normalizer normalizer,
                                   PreTokenizer pre_tokenizer, std::vector<double> scores,
                                   const UnigramOptions& options)
    : TextTokenizer(std::move(vocabulary), std::move(normalizer)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      piece_scores_(std::move(scores)),
      options_(options) {
  strips_leading_space_ = options.strips_leading_space;
  for (size_t byte = 0; byte < 256; ++byte) byte_ids_[byte] = find(fmt::format("<0x{:02X}>", byte));
}

Result<std::shared_ptr<const Tokenizer>> UnigramTokenizer::make(
    Vocabulary vocabulary, Normalizer normalizer, PreTokenizer pre_tokenizer,
    std::vector<double> scores, const UnigramOptions& options) {
  if (scores.size() != vocabulary.entries.size())
    return fail(Code::kCorrupt, "a unigram vocabulary of {} entries with {} scores",
                vocabulary.entries.size(), scores.size());
  for (size_t i = 0; i < scores.size(); ++i)
    if (std::isinf(scores[i])) return fail(Code::kCorrupt, "the score of entry {} is infinite", i);
  std::shared_ptr<UnigramTokenizer> made(
      new UnigramTokenizer(std::move(vocabulary), std::move(normalizer), std::move(pre_tokenizer),
                           std::move(scores), options));
  TRY(made->build());
  return made;
}

bool UnigramTokenizer::is_findable(TokenId id) const {
  if (std::isnan(piece_scores_[static_cast<size_t>(id)])) return false;
  const TokenKind kind = token_kind(id);
  if (kind == TokenKind::kControl || kind == TokenKind::kUnknown) return false;
  return options_.rules == Rules::kHuggingFace ||
         (kind != TokenKind::kByte && kind != TokenKind::kUnused);
}

Result<void> UnigramTokenizer::build() {
  const bool hugging_face = options_.rules == Rules::kHuggingFace;
  std::vector<ByteTrie::Item> items;
  double least = std::numeric_limits<float>::max();
  for (TokenId id = 0; id < size(); ++id) {
    double& score = piece_scores_[static_cast<size_t>(id)];
    if (std::isnan(score)) continue;
    if (is_findable(id)) items.emplace_back(entry(id), id);
    if (hugging_face || token_kind(id) == TokenKind::kNormal) least = std::min(least, score);
    else if (token_kind(id) == TokenKind::kUserDefined)
      score = 0.1 * (static_cast<double>(entry(id).size()) - 1);
  }
  unknown_score_ = hugging_face ? least - kUnknownPenalty
                                : static_cast<float>(least) - kUnknownPenalty;
  trie_ = TRY(ByteTrie::build(items));
  return {};
}

void UnigramTokenizer::encode_plain(std::string_view text, size_t lead, EncodeScratch& scratch,
                                    std::vector<TokenId>& out) const {
  pre_tokenizer_.run(text, lead, scratch.regex, [&](std::string_view word) {
    if (!word.empty()) encode_word(word, scratch, out);
  });
}

void UnigramTokenizer::encode_word(std::string_view word, EncodeScratch& scratch,
                                   std::vector<TokenId>& out) const {
  if (options_.rules == Rules::kSentencePiece)
    return push_pieces(word, Search<float>(*this, word).run(), out);
  WordCache::Slot* slot = scratch.cache.slot_of(word);
  if (slot && slot->holds(word)) {
    out.insert(out.end(), slot->ids.begin(), slot->ids.begin() + slot->count);
    return;
  }
  const size_t before = out.size();
  push_pieces(word, Search<double>(*this, word).run(), out);
  if (slot) WordCache::store(*slot, word, out.data() + before, out.size() - before);
}

void UnigramTokenizer::push_pieces(std::string_view word, const std::vector<Piece>& pieces,
                                   std::vector<TokenId>& out) const {
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].id != unknown_) {
      out.push_back(pieces[i].id);
      continue;
    }
    const size_t begin = pieces[i].begin;
    while (i + 1 < pieces.size() && pieces[i + 1].id == unknown_) ++i;
    push_unknown(word.substr(begin, pieces[i].end - begin), out);
  }
}

// The ids of a run of unknown characters.
void UnigramTokenizer::push_unknown(std::string_view text, std::vector<TokenId>& out) const {
  if (options_.rules == Rules::kHuggingFace) {
    const TokenId id = find(text);
    if (id >= 0 && is_findable(id)) return out.push_back(id);
  }
  const bool bytes = options_.byte_fallback &&
                     std::all_of(text.begin(), text.end(), [&](char c) {
                       return byte_ids_[static_cast<uint8_t>(c)] >= 0;
                     });
  if (bytes) {
    for (const char c : text) out.push_back(byte_ids_[static_cast<uint8_t>(c)]);
  } else if (unknown_ >= 0) {
    out.push_back(unknown_);
  }
}

std::string UnigramTokenizer::entry_bytes(std::string_view entry) const {
  return options_.unescape_spaces ? replace_space_marks(entry) : std::string(entry);
}

}  // namespace hearth
