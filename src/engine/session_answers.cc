// The answers of a request, sampled side by side: each is a lane with its own sequence, a fork of
// the prompt's.
#include <algorithm>

#include "engine/request.h"

namespace hearth {

struct Session::Lane {
  SequenceId sequence = 0;
  std::unique_ptr<Answer> answer;
  std::vector<TokenId> tokens;  // prompt and answer, as far as the context has not slid over them
  std::vector<float> logits;    // after the last of them
  TextSink sink;
};

// Slides where the context is full, and computes again what stays after the head, but for the last
// token, which goes on with the other lanes.
Result<void> Session::make_room(Lane& lane, Request& request) {
  const int64_t dropped = request.overflow.slide(lane.tokens);
  if (dropped == 0) return {};
  lane.answer->drop(dropped);
  int64_t at = cache_->rewind(lane.sequence, request.overflow.head());
  const int64_t end = static_cast<int64_t>(lane.tokens.size()) - 1;
  while (at < end) {
    int64_t count = std::min(chunk_, end - at);
    Batch batch;
    batch.add(lane.sequence, static_cast<int32_t>(at),
              std::span(lane.tokens).subspan(static_cast<size_t>(at), static_cast<size_t>(count)));
    batch.rows.back().wants_logits = false;
    auto nothing = [](int64_t, int64_t, const float*, int64_t) {};
    TRY(runner_->forward(batch, *cache_, nothing, request.events.cancel));
    at += count;
  }
  return {};
}

// Every answer that goes on gives one row to a step. kCancelled leaves them as they are.
Result<void> Session::run_lanes(std::span<Lane> lanes, Request& request) {
  while (true) {
    Batch batch;
    std::vector<Lane*> rows;
    for (Lane& lane : lanes) {
      if (!lane.answer->done()) TRY(lane.answer->take(lane.logits, lane.sink));
      if (lane.answer->done()) continue;
      lane.tokens.push_back(lane.answer->last());
      TRY(make_room(lane, request));
      batch.add(lane.sequence, static_cast<int32_t>(lane.tokens.size()) - 1,
                std::span(lane.tokens).last(1));
      rows.push_back(&lane);
    }
    if (rows.empty()) return {};
    auto keep = [&](int64_t first, int64_t many, const float* row, int64_t stride) {
      for (int64_t r = 0; r < many; ++r, row += stride)
        rows[static_cast<size_t>(first + r)]->logits.assign(row, row + stride);
    };
    TRY(runner_->forward(batch, *cache_, keep, request.events.cancel));
    if (request.cancel_wanted()) return fail(Code::kCancelled, "stopped");
  }
}

Result<void> Session::sample_answers(Request& request) {
  const SamplingParams& p = request.params;
  const int64_t count = std::max(p.n, p.best_of);
  cache_->grow(count, context_);
  Forks forks(*cache_);
  const bool streams = p.best_of <= p.n;  // else the likeliest is known at the end only
  std::vector<Lane> lanes;
  for (int64_t i = 0; i < count; ++i)
    lanes.push_back({.sequence = i == 0 ? sequence_ : forks.add(sequence_),
                     .answer = std::make_unique<Answer>(request.plan, tokenizer_, request.prompt,
                                                        static_cast<uint64_t>(i),
                                                        request.limit),
                     .tokens = request.prompt,
                     .logits = logits_,
                     .sink = i == 0 && streams ? request.events.on_text : TextSink()});
  auto ran = run_lanes(lanes, request);
  cached_ = std::move(lanes.front().tokens);
  cached_.resize(static_cast<size_t>(cache_->length(sequence_)));
  if (!ran && ran.error().code != Code::kCancelled) return ran;
  for (Lane& lane : lanes)
    request.out.choices.push_back(lane.answer->finish(FinishReason::kCancelled, lane.sink));
  return {};
}

}  // namespace hearth
