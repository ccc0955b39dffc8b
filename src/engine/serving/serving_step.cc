// Running a step, and what follows from its logits.
#include <algorithm>

#include "base/check.h"
#include "engine/serving/serving_model.h"

namespace hearth {
namespace {

constexpr double kRateForget = 0.9;
constexpr int64_t kStatusSteps = 16;  // the cache is counted every so many

}  // namespace

bool ServingModel::step(double seconds, Clock::time_point now, StepWatch& watch) {
  cache_->unpin(now);
  const RequestId dominating = plan(seconds, now);
  if (pieces_.empty()) {
    publish_status();
    return false;
  }
  build_batch();
  watch.begin(*this, dominating, makes_way(now));
  auto ran = runner_->forward(batch_, *cache_, logits_sink_, &watch.aborted());
  watch.end();
  const auto end = Clock::now();
  worked_ = end;
  lean_ = false;
  if (!ran) {
    for (Lane* lane : pieces_) {
      lane->rows = 0;
      lane->took = false;
      if (lane->dealt) scheduler_.want(lane->id, lane->remaining());
    }
    if (ran.error().code == Code::kCancelled) {
      made_way_ = true;
      return true;
    }
    while (!pieces_.empty()) {
      Lane* lane = pieces_.back();
      pieces_.pop_back();
      if (lane != nullptr) fail_job(*lane->job, ran.error());
    }
    return true;
  }
  made_way_ = made_way_ && for_newcomers_;
  const double took = std::chrono::duration<double>(end - now).count();
  cost_.observe(work_, took);
  if (keeps_time_ && full_) margin_.observe(took > seconds);
  const double rate = static_cast<double>(work_.tokens) / std::max(took, 1e-6);
  const double before = counts_.rate.load(std::memory_order_relaxed);
  counts_.rate.store(before == 0 ? rate : kRateForget * before + (1 - kRateForget) * rate,
                     std::memory_order_relaxed);
  settle(end);
  if (counts_.steps.fetch_add(1, std::memory_order_relaxed) % kStatusSteps == 0 || !has_work())
    publish_status();
  return true;
}

void ServingModel::build_batch() {
  batch_.rows.clear();
  batch_.inputs.clear();
  wanted_.clear();
  for (Lane* lane : pieces_) {
    const Job& job = *lane->job;
    const bool all = job.params().prompt_logprobs >= 0 && !job.prompt_done;
    const bool ends = lane->rows == lane->remaining();
    batch_.add(lane->sequence, static_cast<int32_t>(lane->computed),
               std::span(lane->tokens).subspan(static_cast<size_t>(lane->computed),
                                               static_cast<size_t>(lane->rows)), all);
    batch_.rows.back().wants_logits = all || ends;
    for (int64_t r = all ? 0 : lane->rows - 1; r < lane->rows; ++r)
      if (all || ends) wanted_.push_back({lane, r});
  }
}

// Each answer chooses its token, on all threads where there are several.
void ServingModel::on_logits(int64_t first, int64_t rows, float* logits, int64_t stride) {
  auto take = [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const WantedRow& wanted = wanted_[static_cast<size_t>(first + r)];
      take_logits(*wanted.lane, wanted.row,
                  {logits + r * stride, static_cast<size_t>(model().config.vocab)});
    }
  };
  ThreadPool& pool = runner_->pool();
  if (rows == 1 || pool.size() == 1) return take(0, rows);
  pool.run([&](int member) {
    const auto part = ThreadPool::slice(rows, member, pool.size());
    take(part.begin, part.end);
  });
}

void ServingModel::take_logits(Lane& lane, int64_t row, std::span<float> logits) {
  Job& job = *lane.job;
  const auto next = static_cast<size_t>(lane.computed + row + 1);
  const bool last = next == lane.tokens.size();
  if (job.params().prompt_logprobs >= 0 && !job.prompt_done && !last)
    job.out.prompt_logprobs[next - 1] =
        logprobs_of(logits, lane.tokens[next], job.params().prompt_logprobs);
  if (!last) return;
  if (job.keeps_logits()) {
    lane.logits.assign(logits.begin(), logits.end());
  } else if (!lane.answer->done()) {
    lane.took = true;
    lane.failed = lane.answer->take(logits, [&lane](std::string_view text) { lane.fresh += text; });
  }
}

void ServingModel::settle(Clock::time_point now) {
  // Lanes that end leave the list as nullptr; those that begin are not in it.
  for (size_t i = 0; i < pieces_.size(); ++i) {
    Lane* lane = pieces_[i];
    lane->computed += lane->rows;
    lane->rows = 0;
  }
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (pieces_[i] != nullptr) settle_lane(*pieces_[i], now);
  pieces_.clear();
  for (const auto& job : jobs_)
    if (job->sink != nullptr) job->sink->on_step_end();
}

void ServingModel::settle_lane(Lane& lane, Clock::time_point now) {
  Job& job = *lane.job;
  if (lane.computed / kKvBlock > lane.published) {
    cache_->publish(lane.sequence, lane.tokens);
    lane.published = lane.computed / kKvBlock;
  }
  if (!job.prompt_done) {
    const bool more = lane.remaining() > 0;
    ServeEvent event{.kind = ServeEventKind::kPrompt, .computed = lane.computed};
    if (!more && job.streams()) event.logprobs = job.out.prompt_logprobs;
    emit(event, job);
    if (more) return;
    job.prompted = now;
    counts_.prompt_tokens.fetch_add(job.out.timings.prompt_tokens - job.out.timings.cached_tokens,
                                    std::memory_order_relaxed);
    if (job.request.pin.count() > 0)
      job.out.timings.pinned_tokens =
          cache_->pin(lane.sequence, lane.computed, now + job.request.pin);
    const bool several = job.keeps_logits();
    job.prompt_done = true;
    if (several && !job.searches()) return begin_answers(job);
  }
  if (lane.remaining() > 0) return;
  if (job.searches()) {
    if (auto went = advance_beams(job); !went) fail_job(job, went.error());
    return;
  }
  go_on(lane);
}

// The lane's answer has seen the logits after its last token.
void ServingModel::go_on(Lane& lane) {
  Job& job = *lane.job;
  if (!lane.failed) return fail_job(job, Error(lane.failed.error()));
  tell(lane);
  if (lane.answer->done()) {
    finish_lane(lane, FinishReason::kCancelled);
    if (job.lanes.empty()) finish_job(job);
    return;
  }
  lane.tokens.push_back(lane.answer->last());
  if (const int64_t dropped = job.overflow.slide(lane.tokens); dropped > 0) {
    lane.answer->drop(dropped);
    lane.computed = cache_->rewind(lane.sequence, job.overflow.head());
    lane.published = lane.computed / kKvBlock;
    scheduler_.want(lane.id, lane.remaining());
  }
}

// The event of a token that an answer took.
void ServingModel::tell(Lane& lane) {
  if (!lane.took) return;
  const int64_t count = lane.answer->count();
  const bool stopped = lane.answer->stopped_at_token();
  lane.took = false;
  if (!stopped) counts_.generated_tokens.fetch_add(1, std::memory_order_relaxed);
  if (lane.job->streams() && (!stopped || !lane.fresh.empty()))
    emit({.kind = ServeEventKind::kToken, .choice = lane.choice,
          .token = stopped || count == 0 ? -1 : lane.answer->last(), .text = lane.fresh,
          .logprobs = stopped ? std::span<const TokenLogprobs>() : lane.answer->last_logprobs()},
         *lane.job);
  lane.fresh.clear();
}

// The prompt of several answers is done: each is a fork of it.
void ServingModel::begin_answers(Job& job) {
  Lane& first = *job.lanes.front();
  const std::vector<float> logits = std::move(first.logits);
  first.logits = {};
  for (int32_t i = 0; i < job.answers(); ++i) {
    Lane& lane = i == 0 ? first : fork(first, i);
    lane.answer = std::make_unique<Answer>(job.request.plan, tokenizer_, job.request.prompt,
                                           static_cast<uint64_t>(i), job.limit);
    if (lane.answer->done()) continue;
    std::vector<float> own = logits;
    lane.took = true;
    lane.failed = lane.answer->take(own, [&lane](std::string_view text) { lane.fresh += text; });
    if (!lane.failed) return fail_job(job, Error(lane.failed.error()));
  }
  std::vector<Lane*> lanes;
  for (const auto& lane : job.lanes) lanes.push_back(lane.get());
  for (size_t i = 0; i < lanes.size(); ++i) go_on(*lanes[i]);  // the last one may end the job
}

// A lane that has computed what `from` has; nothing, where that has lost its place.
Lane& ServingModel::fork(const Lane& from, int32_t choice) {
  Lane& lane = add_lane(*from.job, choice);
  lane.tokens = from.tokens;
  lane.computed = from.computed;
  lane.published = from.published;
  if (from.sequence < 0) return lane;
  lane.sequence = cache_->fork(from.sequence);
  insert_running(lane);
  return lane;
}

}  // namespace hearth
