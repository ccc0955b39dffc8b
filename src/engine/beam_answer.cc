#include "engine/beam_answer.h"

#include <algorithm>

#include "engine/stop.h"

namespace hearth {

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
BeamSearch::Row beam_row(std::span<float> logits, const SamplerPlan& plan,
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

Generation beam_answer(const Beam& beam, const SamplingParams& p, const Tokenizer& tokenizer,
                       bool cancelled) {
  Generation out{.tokens = beam.tokens, .reason = FinishReason::kLength, .score = beam.score};
  if (!beam.tokens.empty())
    out.mean_logprob = beam.logprob / static_cast<double>(beam.tokens.size());
  TokenId last = beam.tokens.empty() ? -1 : beam.tokens.back();
  bool stops = std::ranges::find(p.stop_token_ids, last) != p.stop_token_ids.end();
  if (last >= 0 && (stops || (!p.ignore_eos && tokenizer.ends_generation(last)))) {
    out.reason = FinishReason::kStop;
    out.stop_token = last;
    out.tokens.pop_back();
  } else if (cancelled) {
    out.reason = FinishReason::kCancelled;
  }
  StreamDecoder decoder(tokenizer);
  StopFilter filter(p.stop);
  for (TokenId id : out.tokens) out.text += filter.push(decoder.push(id));
  out.text += filter.push(decoder.finish());
  out.text += filter.finish();
  out.timings.generated_tokens = static_cast<int64_t>(beam.tokens.size());
  return out;
}

}  // namespace hearth
