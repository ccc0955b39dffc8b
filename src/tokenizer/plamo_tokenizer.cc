#include "tokenizer/plamo_tokenizer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"

namespace hearth {
namespace {

constexpr int64_t kUnknownCost = 10'000'000, kNoCost = 20'000'000;
constexpr TokenId kUnknownCharacter = -1, kInsideCharacter = -2;

// In ten-thousandths; kNoCost for an entry that is never taken.
int64_t cost_of(float score) {
  if (!std::isfinite(score)) return kNoCost;
  const double scaled = std::nearbyint(static_cast<double>(score) * 1e4);  // halves to even
  return -static_cast<int64_t>(std::clamp(scaled, -2e9, 2e9));
}

// The bytes of a character; 1 for bytes that begin none.
size_t character_bytes(std::string_view text, size_t at) {
  const Decoded c = decode_utf8(text, at);
  return c.valid ? c.bytes : size_t{1};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> PlamoTokenizer::make(Vocabulary vocabulary) {
  CHECK(vocabulary.scores.size() == vocabulary.entries.size());
  std::shared_ptr<PlamoTokenizer> made(new PlamoTokenizer(std::move(vocabulary)));
  TRY(made->build());
  return made;
}

Result<void> PlamoTokenizer::build() {
  byte_ids_.fill(-1);
  std::vector<ByteTrie::Item> items;
  for (TokenId id = 0; id < size(); ++id) {
    const TokenKind kind = token_kind(id);
    costs_.push_back(cost_of(scores_[static_cast<size_t>(id)]));
    if (kind == TokenKind::kByte) {
      const int byte = byte_of_entry(entry(id));
      if (byte >= 0) byte_ids_[static_cast<size_t>(byte)] = id;
    } else if (kind != TokenKind::kControl && kind != TokenKind::kUnknown &&
               kind != TokenKind::kUnused && costs_.back() < kNoCost) {
      items.emplace_back(entry(id), id);
    }
  }
  const auto missing = std::find(byte_ids_.begin(), byte_ids_.end(), -1);
  if (missing != byte_ids_.end())
    return fail(Code::kCorrupt, "a plamo2 vocabulary without an entry for the byte {}",
                missing - byte_ids_.begin());
  trie_ = TRY(ByteTrie::build(items));
  return {};
}

// The first entry of the best way to write what follows each place; below 0 where that is an
// unknown character and where no character begins.
std::vector<TokenId> PlamoTokenizer::find_best(std::string_view text) const {
  // No entry is longer than kBytesMax, so that only the costs of so many places behind are asked
  // for.
  constexpr size_t kRing = ByteTrie::kBytesMax * 2;
  constexpr int64_t kUnreached = INT64_MAX;
  std::vector<int64_t> costs(kRing, kUnreached);
  std::vector<TokenId> first(text.size(), kInsideCharacter);
  for (size_t at = 0; at < text.size(); at += character_bytes(text, at))
    first[at] = kUnknownCharacter;
  costs[text.size() % kRing] = 0;
  for (size_t at = text.size(); at-- > 0;) {
    int64_t& best = costs[at % kRing];
    best = kUnreached;
    if (first[at] == kInsideCharacter) continue;
    trie_.prefixes(text.substr(at), [&](size_t bytes, TokenId id) {
      const int64_t rest = costs[(at + bytes) % kRing];
      if (rest == kUnreached) return;
      const int64_t cost = rest + costs_[static_cast<size_t>(id)];
      if (cost > best) return;
      best = cost;
      first[at] = id;
    });
    const int64_t rest = costs[(at + character_bytes(text, at)) % kRing];
    if (rest + kUnknownCost >= best) continue;
    best = rest + kUnknownCost;
    first[at] = kUnknownCharacter;
  }
  return first;
}

void PlamoTokenizer::encode_plain(std::string_view text, size_t, EncodeScratch&,
                                  std::vector<TokenId>& out) const {
  const std::vector<TokenId> first = find_best(text);
  for (size_t at = 0; at < text.size();) {
    const TokenId id = first[at];
    if (id >= 0) {
      out.push_back(id);
      at += entry(id).size();
      continue;
    }
    for (size_t left = character_bytes(text, at); left > 0; --left, ++at)
      out.push_back(byte_ids_[static_cast<uint8_t>(text[at])]);
  }
}

Result<std::shared_ptr<const Tokenizer>> make_plamo_from_gguf(const Metadata& metadata) {
  Vocabulary vocabulary = TRY(read_gguf_vocabulary(metadata));
  if (vocabulary.scores.empty())
    return fail(Code::kCorrupt, "tokenizer.ggml.scores is missing, which the model 'plamo2' needs");
  vocabulary.add_bos = TRY(metadata.boolean("tokenizer.ggml.add_bos_token", false));
  vocabulary.add_eos = TRY(metadata.boolean("tokenizer.ggml.add_eos_token", false));
  vocabulary.set_affixes();
  return PlamoTokenizer::make(std::move(vocabulary));
}

}  // namespace hearth
