#include "engine/sampling/dry.h"

#include <algorithm>
#include <cmath>

#include "engine/sampling/steps.h"
#include "engine/sampling/suffix_matches.h"

namespace hearth {
namespace {

constexpr size_t kBreakersMax = 64;
constexpr size_t kBreakerBytesMax = 40;

void add_breaker(const Tokenizer& tokenizer, std::string_view text, TokenId id,
                 const std::string& piece, DryBreakers& out) {
  auto add = [&](std::vector<TokenId> tail) {
    auto& tails = out[id];
    if (std::ranges::find(tails, tail) == tails.end()) tails.push_back(std::move(tail));
  };
  if (piece.find(text) != std::string::npos) return add({});
  for (size_t at = piece.size() - std::min(piece.size(), text.size() - 1); at < piece.size();
       ++at) {
    size_t have = piece.size() - at;
    if (std::string_view(piece).substr(at) != text.substr(0, have)) continue;
    std::vector<TokenId> tail = tokenizer.encode(text.substr(have), {.add_special = false,
                                                                     .parse_special = false});
    tail.resize(std::min(tail.size(), kDryTailMax));
    add(std::move(tail));
  }
}

// The longest tail that follows the head at `at`; -1: none.
int64_t longest_tail(std::span<const TokenId> history, size_t at, const DryBreakers& breakers) {
  auto found = breakers.find(history[at]);
  if (found == breakers.end()) return -1;
  int64_t longest = -1;
  auto after = history.subspan(at + 1);
  for (const std::vector<TokenId>& tail : found->second)
    if (static_cast<int64_t>(tail.size()) > longest && tail.size() <= after.size() &&
        std::ranges::equal(tail, after.first(tail.size())))
      longest = static_cast<int64_t>(tail.size());
  return longest;
}

// How many of the last tokens come after the last breaker.
size_t since_breaker(std::span<const TokenId> history, const DryBreakers& breakers) {
  for (size_t i = 0; i < history.size(); ++i) {
    int64_t tail = longest_tail(history, history.size() - 1 - i, breakers);
    if (tail >= 0) return i - static_cast<size_t>(tail);
  }
  return history.size();
}

bool breaks_alone(TokenId id, const DryBreakers& breakers) {
  auto found = breakers.find(id);
  return found != breakers.end() &&
         std::ranges::any_of(found->second, [](const auto& tail) { return tail.empty(); });
}

}  // namespace

Result<DryBreakers> dry_breakers(const Tokenizer& tokenizer, std::span<const std::string> texts) {
  if (texts.size() > kBreakersMax)
    return fail(Code::kTooLarge, "DRY takes at most {} sequence breakers, not {}", kBreakersMax,
                texts.size());
  DryBreakers out;
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    std::string piece = tokenizer.piece(id, true);
    if (piece.empty()) continue;
    for (std::string_view text : texts)
      if (!text.empty())
        add_breaker(tokenizer, text.substr(0, kBreakerBytesMax), id, piece, out);
  }
  return out;
}

void dry(Candidates& candidates, const StepContext& context) {
  const SamplingParams& p = context.params;
  static const DryBreakers kNone;
  const DryBreakers& breakers = context.breakers != nullptr ? *context.breakers : kNone;
  auto history = context.history;
  if (p.dry_penalty_last_n >= 0)
    history = history.last(std::min(history.size(), static_cast<size_t>(p.dry_penalty_last_n)));
  auto allowed = p.dry_allowed_length;
  if (static_cast<int64_t>(history.size()) <= allowed) return;
  auto limit = static_cast<int64_t>(since_breaker(history, breakers));
  if (limit < allowed) return;

  // The longest passage that each token would go on with.
  std::vector<int32_t> lengths = suffix_matches(history);
  std::unordered_map<TokenId, int64_t> longest;
  for (size_t i = 1; i < history.size(); ++i) {
    int64_t length = std::min<int64_t>(lengths[i], limit);
    if (length < allowed) continue;
    auto [row, fresh] = longest.try_emplace(history[i], length);
    if (!fresh) row->second = std::max(row->second, length);
  }

  constexpr double kLogFloatMax = 88.7228391;
  auto base = static_cast<float>(p.dry_base);
  int64_t exponent_max = base > 1.000001f ? static_cast<int64_t>(kLogFloatMax / std::log(base)) : 0;
  for (auto [id, length] : longest) {
    if (breaks_alone(id, breakers)) continue;
    int64_t exponent = length - allowed;
    if (exponent_max > 0) exponent = std::min(exponent, exponent_max);
    double penalty = p.dry_multiplier * std::pow(base, static_cast<double>(exponent));
    candidates.edit(id, [&](float& logit) { logit -= static_cast<float>(penalty); });
  }
}

}  // namespace hearth
