// Beam search on a session's cache: each running beam is a fork of its parent.
#include <algorithm>
#include <cmath>

#include "engine/request.h"

namespace hearth {
namespace {

BeamOptions beam_options(const SamplingParams& p, const Tokenizer& tokenizer, int64_t limit) {
  using Early = BeamOptions::Early;
  BeamOptions out{.width = static_cast<size_t>(p.num_beams), .length_penalty = p.length_penalty,
                  .limit = limit, .ends = p.stop_token_ids};
  if (p.early_stopping == "true") out.early = Early::kTrue;
  if (p.early_stopping == "never") out.early = Early::kNever;
  if (!p.ignore_eos)
    for (TokenId id = 0; id < tokenizer.size(); ++id)
      if (tokenizer.ends_generation(id) && std::ranges::find(out.ends, id) == out.ends.end())
        out.ends.push_back(id);
  return out;
}

// What the model says next, with what must or must not be said. The probabilities are those before
// it, as transformers takes them.
BeamSearch::Row row_of(std::span<float> logits, const SamplerPlan& plan,
                       std::span<const TokenId> history, int64_t generated, size_t count) {
  Candidates candidates(logits);
  BeamSearch::Row row{.best = {}, .log_sum_exp = candidates.log_sum_exp()};
  StepContext context{.params = plan.params, .history = history, .draws = {},
                      .bad_tokens = plan.bad_tokens, .forbidden = {}};
  if (generated < plan.params.min_tokens) context.forbidden = plan.ends;
  for (const Step* step : plan.chain)
    if (step->constraint) step->run(candidates, context);
  row.best = candidates.largest(count);
  return row;
}

}  // namespace

Generation Session::to_generation(const Beam& beam, const Request& request) const {
  Generation out{.tokens = beam.tokens, .reason = FinishReason::kLength, .score = beam.score};
  const SamplingParams& p = request.params;
  if (!beam.tokens.empty())
    out.mean_logprob = beam.logprob / static_cast<double>(beam.tokens.size());
  TokenId last = beam.tokens.empty() ? -1 : beam.tokens.back();
  bool stops = std::ranges::find(p.stop_token_ids, last) != p.stop_token_ids.end();
  if (last >= 0 && (stops || (!p.ignore_eos && tokenizer_->ends_generation(last)))) {
    out.reason = FinishReason::kStop;
    out.stop_token = last;
    out.tokens.pop_back();
  } else if (request.cancelled) {
    out.reason = FinishReason::kCancelled;
  }
  StreamDecoder decoder(*tokenizer_);
  StopFilter filter(p.stop);
  for (TokenId id : out.tokens) out.text += filter.push(decoder.push(id));
  out.text += filter.push(decoder.finish());
  out.text += filter.finish();
  out.timings.generated_tokens = static_cast<int64_t>(beam.tokens.size());
  return out;
}

Result<void> Session::search_beams(Request& request) {
  const SamplingParams& p = request.params;
  BeamSearch search(beam_options(p, *tokenizer_, request.limit));
  cache_->grow(2 * p.num_beams, context_);
  Forks forks(*cache_);
  forks.add(sequence_);
  std::vector<std::vector<float>> logits = {logits_};
  while (true) {
    std::vector<BeamSearch::Row> rows;
    for (size_t b = 0; b < search.running().size(); ++b) {
      const std::vector<TokenId>& tokens = search.running()[b].tokens;
      std::vector<TokenId> history = request.prompt;
      history.insert(history.end(), tokens.begin(), tokens.end());
      rows.push_back(row_of(logits[b], *request.plan, history,
                            static_cast<int64_t>(tokens.size()), search.continuations()));
    }
    if (!search.advance(rows)) break;

    // The children take their parents' caches; a parent without children gives its own back.
    Forks next(*cache_);
    for (const Beam& beam : search.running()) next.add(forks.ids()[beam.parent]);
    forks.swap(next);
    next.clear();
    Batch batch;
    for (size_t b = 0; b < search.running().size(); ++b) {
      const std::vector<TokenId>& tokens = search.running()[b].tokens;
      auto position = request.prompt.size() + tokens.size() - 1;
      batch.add(forks.ids()[b], static_cast<int32_t>(position), std::span(tokens).last(1));
    }
    logits.resize(search.running().size());
    auto keep = [&](int64_t first, int64_t many, const float* row, int64_t stride) {
      for (int64_t r = 0; r < many; ++r, row += stride)
        logits[static_cast<size_t>(first + r)].assign(row, row + stride);
    };
    auto stepped = runner_->forward(batch, *cache_, keep, request.events.cancel);
    if (!stepped && stepped.error().code != Code::kCancelled)
      return std::unexpected(stepped.error());
    request.cancelled = !stepped || request.cancel_wanted();
    if (request.cancelled) break;
  }
  for (const Beam& beam : search.results())
    if (static_cast<int64_t>(request.out.choices.size()) < p.n)
      request.out.choices.push_back(to_generation(beam, request));
  if (request.out.choices.empty())
    return fail(Code::kInvalid, "no beam is possible: every token is forbidden, or the model's "
                                "logits are not numbers");
  if (request.events.on_text) request.events.on_text(request.out.choices.front().text);
  return {};
}

}  // namespace hearth
