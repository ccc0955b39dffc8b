// Beam search among other requests: each running beam is a lane, and the search goes on when all of
// them have their logits.
#include <algorithm>

#include "engine/beam_answer.h"
#include "engine/serving/serving_model.h"

namespace hearth {

Result<void> ServingModel::advance_beams(Job& job) {
  if (std::ranges::any_of(job.lanes, [](const auto& lane) { return lane->logits.empty(); }))
    return {};
  if (job.beams == nullptr)
    job.beams = std::make_unique<BeamSearch>(beam_options(job.params(), *tokenizer_, job.limit));
  BeamSearch& search = *job.beams;
  const auto prompt = static_cast<int64_t>(job.request.prompt.size());
  std::vector<BeamSearch::Row> rows;
  for (const auto& lane : job.lanes)
    rows.push_back(beam_row(lane->logits, *job.request.plan, lane->tokens,
                            static_cast<int64_t>(lane->tokens.size()) - prompt,
                            search.continuations()));
  if (!search.advance(rows)) {
    finish_beams(job, false);
    return {};
  }
  // The children take their parents' places; a parent without children gives its own back.
  std::vector<Lane*> parents;
  for (const auto& lane : job.lanes) parents.push_back(lane.get());
  int32_t number = parents.back()->choice + 1;
  for (const Beam& beam : search.running()) {
    Lane& lane = fork(*parents[beam.parent], number++);
    lane.tokens.push_back(beam.tokens.back());
    if (lane.sequence < 0) scheduler_.want(lane.id, lane.remaining());
  }
  for (Lane* parent : parents) remove_lane(*parent);
  return {};
}

void ServingModel::finish_beams(Job& job, bool cancelled) {
  job.out.choices.clear();
  for (const Beam& beam : job.beams->results())
    if (static_cast<int64_t>(job.out.choices.size()) < job.params().n)
      job.out.choices.push_back(beam_answer(beam, job.params(), *tokenizer_, cancelled));
  if (!job.out.choices.empty() || cancelled) return finish_job(job);
  fail_job(job, fail(Code::kInvalid, "no beam is possible: every token is forbidden, or the "
                                     "model's logits are not numbers").error());
}

}  // namespace hearth
