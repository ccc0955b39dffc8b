// Beam search on a session's cache: each running beam is a fork of its parent.
#include "engine/beam_answer.h"
#include "engine/request.h"

namespace hearth {
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
      rows.push_back(beam_row(logits[b], *request.plan, history,
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
      request.out.choices.push_back(beam_answer(beam, p, *tokenizer_, request.cancelled));
  if (request.out.choices.empty())
    return fail(Code::kInvalid, "no beam is possible: every token is forbidden, or the model's "
                                "logits are not numbers");
  if (request.events.on_text) request.events.on_text(request.out.choices.front().text);
  return {};
}

}  // namespace hearth
