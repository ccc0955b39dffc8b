#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace hearth {
namespace {

constexpr size_t kBadWordsMax = 4096;

// A text forbids its tokens as they come at the start of a line and inside one.
void add_bad_word(const Tokenizer& tokenizer, const std::string& word,
                  std::vector<std::vector<TokenId>>& out) {
  constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};
  for (const std::string& text : {word, " " + word}) {
    std::vector<TokenId> ids = tokenizer.encode(text, kPlain);
    if (!ids.empty() && std::ranges::find(out, ids) == out.end()) out.push_back(std::move(ids));
  }
}

Result<void> check(const SamplingParams& p) {
  if (p.bad_words.size() + p.bad_tokens.size() > kBadWordsMax)
    return fail(Code::kTooLarge, "at most {} bad words can be given", kBadWordsMax);
  for (const auto& sequence : p.bad_tokens)
    if (sequence.empty()) return fail(Code::kInvalid, "a sequence of bad tokens is empty");
  for (const std::string& word : p.bad_words)
    if (word.empty()) return fail(Code::kInvalid, "a bad word is empty");
  for (const TokenBias& row : p.logit_bias)
    if (std::isnan(row.bias)) return fail(Code::kInvalid, "a logit bias is not a number");
  for (double value : {p.temperature, p.top_p, p.min_p, p.typical_p, p.top_n_sigma,
                       p.xtc_probability, p.xtc_threshold, p.dynatemp_range, p.dynatemp_exponent,
                       p.mirostat_tau, p.mirostat_eta, p.repeat_penalty, p.presence_penalty,
                       p.frequency_penalty, p.dry_multiplier, p.dry_base, p.length_penalty})
    if (!std::isfinite(value)) return fail(Code::kInvalid, "a sampling parameter is not a number");
  if (p.repeat_penalty <= 0) return fail(Code::kInvalid, "repeat_penalty must be above 0");
  if (p.mirostat < 0 || p.mirostat > 2) return fail(Code::kInvalid, "mirostat is 0, 1 or 2");
  return {};
}

}  // namespace

double Draws::uniform(Purpose purpose) const {
  uint64_t stream = sequence | static_cast<uint64_t>(purpose) << 56;
  return hearth::uniform(seed, stream, position);
}

Result<std::shared_ptr<const SamplerPlan>> SamplerPlan::create(const SamplingParams& params,
                                                               const Tokenizer* tokenizer) {
  TRY(check(params));
  auto plan = std::make_shared<SamplerPlan>();
  plan->params = params;
  plan->chain = TRY(make_chain(params));
  plan->greedy = plan->chain.size() == 1 && plan->chain[0]->name == "temperature" &&
                 params.temperature <= 0 && params.dynatemp_range <= 0;
  plan->bad_tokens = params.bad_tokens;
  plan->ends = params.stop_token_ids;
  if (tokenizer == nullptr) return plan;
  for (const std::string& word : params.bad_words)
    add_bad_word(*tokenizer, word, plan->bad_tokens);
  if (params.min_tokens > 0)
    for (TokenId id = 0; id < tokenizer->size(); ++id)
      if (tokenizer->ends_generation(id)) plan->ends.push_back(id);
  bool dry = std::ranges::find(plan->chain, std::string_view("dry"), &Step::name) !=
             plan->chain.end();
  if (!dry) return plan;
  auto breakers = dry_breakers(*tokenizer, params.dry_sequence_breakers);
  if (!breakers) return std::unexpected(breakers.error());
  plan->breakers = std::move(*breakers);
  return plan;
}

Draws Sampler::draws(size_t position) const {
  return {.seed = static_cast<uint64_t>(plan_->params.seed), .sequence = sequence_,
          .position = position};
}

Candidates Sampler::candidates(std::span<float> logits, std::span<const TokenId> history) const {
  StepContext context{.params = plan_->params,
                      .history = history,
                      .draws = draws(history.size()),
                      .bad_tokens = plan_->bad_tokens,
                      .forbidden = {},
                      .breakers = &plan_->breakers,
                      .mirostat_mu = mu_};
  if (generated_ < plan_->params.min_tokens) context.forbidden = plan_->ends;
  Candidates candidates(logits);
  for (const Step* step : plan_->chain) step->run(candidates, context);
  return candidates;
}

void Sampler::accept(const Candidates& candidates, const Candidate& chosen) {
  ++generated_;
  if (plan_->params.mirostat == 0) return;
  double p = std::exp(chosen.logit - candidates.log_sum_exp());
  mu_ = mirostat_update(mu_, p, plan_->params);
}

Result<TokenId> Sampler::sample(std::span<float> logits, std::span<const TokenId> history,
                                TokenLogprobs* after) {
  auto none = [] {
    return fail(Code::kInvalid, "no token can follow: each is forbidden, or the model's logits are "
                                "not numbers");
  };
  if (plan_->greedy && after == nullptr) {
    TokenId best = most_likely(logits);
    if (best < 0) return none();
    ++generated_;
    return best;
  }
  Candidates left = candidates(logits, history);
  if (left.size() == 0 || !std::isfinite(left.max_logit())) return none();
  auto purpose = plan_->params.mirostat != 0 ? Draws::Purpose::kMirostat : Draws::Purpose::kToken;
  Candidate chosen = left.draw(draws(history.size()).uniform(purpose));
  accept(left, chosen);
  if (after != nullptr) *after = logprobs_of(left, chosen, plan_->params.logprobs);
  return chosen.id;
}

}  // namespace hearth
