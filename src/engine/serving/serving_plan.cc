// What a step computes: a row for every answer, and prompts as time and memory allow.
#include <algorithm>

#include "base/check.h"
#include "base/math.h"
#include "engine/serving/serving_model.h"

namespace hearth {
namespace {

constexpr int64_t kPromptRowsMin = 16;    // a prompt goes on by so many, whatever the time
constexpr double kUnwatchedSeconds = 0.25;  // of a step when nobody watches
constexpr double kPromptShare = 0.4;      // of a step that answers alone would fill
constexpr double kTurnSeconds = 0.1;      // of prompt, before it is another one's turn
constexpr int64_t kTurnRowsMin = 32;
constexpr std::chrono::seconds kLongHeldUp{2};
constexpr int64_t kCrowd = 4;  // a tenant's answers that never are put off
constexpr double kBeginsForget = 0.9;
constexpr double kMakesWayShare = 0.5;

}  // namespace

// The next thing to compute is a token of the answer.
bool ServingModel::answers_next(const Lane& lane) const {
  return lane.remaining() == 1 && scheduler_.wanted(lane.id) == 0;
}

// Whether somebody sees tokens come now.
bool ServingModel::watched() const {
  return std::ranges::any_of(
      running_, [&](const Lane* lane) { return answers_next(*lane) && lane->job->streams(); });
}

int64_t ServingModel::running_of(uint64_t tenant) const {
  return std::ranges::count_if(
      running_, [&](const Lane* lane) { return lane->job->request.tenant == tenant; });
}

// Of a tenant that has nothing running, or had when this step was planned.
bool ServingModel::is_newcomer(const Lane& lane) const {
  return lane.rows > 0 || (lane.sequence < 0 && lane.job->started == Clock::time_point() &&
                           running_of(lane.job->request.tenant) == 0);
}

// Whether a tenant's answers fill more than its part of the steps.
bool ServingModel::is_crowd(uint64_t tenant) const {
  const int64_t own = running_of(tenant);
  return own > kCrowd &&
         own * scheduler_.tenants() > static_cast<int64_t>(running_.size()) + 1;
}

// Every second step at most is only for newcomers and those who have less than their part: a tenant
// with many answers does not make another one wait for them all.
bool ServingModel::newcomers_wait() const {
  if (scheduler_.tenants() < 2 || static_cast<int64_t>(running_.size()) <= kCrowd) return false;
  return std::ranges::any_of(lanes_, [&](const Lane* lane) {
    return lane != nullptr && lane->sequence < 0 && is_newcomer(*lane);
  });
}

// Until when the step that was planned ends early for a newcomer, who would wait for the rest of
// it: while less than half of it is lost. But once, until a step of the crowd's has run.
ServingModel::Clock::time_point ServingModel::makes_way(Clock::time_point now) const {
  if (for_newcomers_ || made_way_ || static_cast<int64_t>(running_.size()) <= kCrowd) return {};
  return now + std::chrono::duration_cast<Clock::duration>(
                   std::chrono::duration<double>(kMakesWayShare * cost_.predict(work_)));
}

RequestId ServingModel::plan(double seconds, Clock::time_point now) {
  pieces_.clear();
  work_ = {};
  expire(now);
  for_newcomers_ = !for_newcomers_ && newcomers_wait();
  plan_decodes();
  size_t answers = pieces_.size();
  plan_prompts(seconds, now);
  if (for_newcomers_ && pieces_.size() == answers) {  // there was no place for them
    for_newcomers_ = false;
    plan_decodes();
    answers = pieces_.size();
    plan_prompts(seconds, now);
  }
  if (answers > 0) return 0;
  for (const Lane* lane : pieces_)
    if (2 * lane->rows > work_.tokens) return lane->job->id;
  return 0;
}

void ServingModel::plan_decodes() {
  for (size_t i = 0; i < running_.size(); ++i) {
    Lane& lane = *running_[i];
    if (!answers_next(lane) || lane.rows > 0) continue;
    if (for_newcomers_ && is_crowd(lane.job->request.tenant)) continue;
    if (!make_room_for(lane, lane.computed + 1)) {
      preempt(lane);
      --i;
      continue;
    }
    lane.rows = 1;
    lane.dealt = false;
    pieces_.push_back(&lane);
    work_.tokens += 1;
    work_.pairs += lane.computed + 1;
    scheduler_.charge(lane.id, 1);
  }
}

void ServingModel::plan_prompts(double seconds, Clock::time_point now) {
  const double answers = cost_.predict(work_);
  const bool seen = watched();
  // Newcomers get all of the time, so that their prompts need no second step beside the crowd.
  const double share = for_newcomers_ ? 1 : margin_.share();
  step_seconds_ = seen ? share * seconds : std::max(seconds, kUnwatchedSeconds);
  const double least = pieces_.empty() ? 0 : answers / (1 - kPromptShare);
  keeps_time_ = seen && !for_newcomers_ && least <= step_seconds_;
  step_seconds_ = std::max(step_seconds_, least);
  full_ = false;
  find_first_in_line(now);
  const int64_t turn = std::clamp(cost_.rows_within(kTurnSeconds, {}, 0), kTurnRowsMin,
                                  std::max(kTurnRowsMin, options_.prompt_rows));
  first_prompt_ = true;
  scheduler_.deal(std::chrono::duration<double>(now.time_since_epoch()).count(),
                  options_.prompt_rows, turn, take_);
}

// The scheduler deals so many rows to a lane: how many of them this step computes.
int64_t ServingModel::take_rows(Lane& lane, int64_t rows) {
  if (for_newcomers_ && !is_newcomer(lane)) return 0;
  if (lane.sequence < 0 && !start(lane)) return 0;
  rows = std::min(rows, lane.remaining() - lane.rows);
  const int64_t from = lane.computed + lane.rows;
  int64_t fit = cost_.rows_within(step_seconds_, work_, from + rows / 2);
  full_ = full_ || fit < rows;
  if (first_prompt_) fit = std::max(fit, kPromptRowsMin);
  rows = std::min(rows, fit);
  if (rows <= 0 || !make_room_for(lane, from + rows)) return 0;
  first_prompt_ = false;
  if (lane.rows == 0) pieces_.push_back(&lane);
  lane.dealt = true;
  lane.rows += rows;
  work_.tokens += rows;
  work_.pairs += rows * from + rows * (rows + 1) / 2;
  return rows;
}

// Gives the lane a place in the cache, with all that is known of its tokens, and room for the rest.
bool ServingModel::start(Lane& lane) {
  Job& job = *lane.job;
  const bool full = static_cast<int64_t>(running_.size()) >= options_.rows_max;
  // Beams wait for each other: those that are there must not keep the others out.
  if ((full && job.beams == nullptr) || waits_for_sharer(lane)) return false;
  if (first_in_line_ != nullptr && first_in_line_->rank() < lane.rank()) return false;
  lane.sequence = cache_->add_sequence();
  std::span<const TokenId> known(lane.tokens);
  known = known.first(known.size() - 1);  // the last one must give logits
  if (job.params().prompt_logprobs >= 0 && !job.prompt_done) known = {};
  lane.computed = cache_->adopt(lane.sequence, job.request.salt, known);
  lane.published = lane.computed / kKvBlock;
  lane.held_up = !make_place_for(lane);
  insert_running(lane);
  if (lane.held_up) {
    release(lane);
    return false;
  }
  scheduler_.want(lane.id, lane.remaining());
  if (job.started == Clock::time_point()) begin(job, lane);
  return true;
}

// A request gets its first place.
void ServingModel::begin(Job& job, Lane& lane) {
  job.started = Clock::now();
  leave_queue(job);
  count_begin(job.started);
  counts_.running.fetch_add(1, std::memory_order_relaxed);
  tenant_count(job.request.tenant).running.fetch_add(1, std::memory_order_relaxed);
  job.out.timings.cached_tokens = lane.computed;
  counts_.cached_tokens.fetch_add(lane.computed, std::memory_order_relaxed);
  if (!job.keeps_logits())
    lane.answer = std::make_unique<Answer>(job.request.plan, tokenizer_, job.request.prompt, 0,
                                           job.limit);
}

// How long it takes from one beginning to the next while others wait.
void ServingModel::count_begin(Clock::time_point now) {
  if (last_begin_ != Clock::time_point()) {
    const double seconds = std::chrono::duration<double>(now - last_begin_).count();
    begins_ = kBeginsForget * begins_ + 1;
    begin_seconds_ = kBeginsForget * begin_seconds_ + seconds;
    counts_.begin_seconds.store(begin_seconds_ / begins_, std::memory_order_relaxed);
  }
  const bool others = counts_.waiting.load(std::memory_order_relaxed) > 0;
  last_begin_ = others ? now : Clock::time_point();
}

// Whether another lane is computing what this one begins with as well: it is cheaper to wait.
bool ServingModel::waits_for_sharer(const Lane& lane) const {
  const ServeRequest& own = lane.job->request;
  if (lane.job->params().prompt_logprobs >= 0 && !lane.job->prompt_done) return false;
  for (const Lane* other : running_) {
    const ServeRequest& theirs = other->job->request;
    if (other->remaining() <= 1 || theirs.salt != own.salt || theirs.priority < own.priority)
      continue;
    const auto ends = std::ranges::mismatch(lane.tokens, other->tokens);
    auto common = std::min<int64_t>(ends.in1 - lane.tokens.begin(),
                                    static_cast<int64_t>(lane.tokens.size()) - 1);
    if (other->published < common / kKvBlock) return true;
  }
  return false;
}

// Room in the cache for the lane's positions below `tokens`; less deserving lanes make place.
bool ServingModel::make_room_for(const Lane& lane, int64_t tokens) {
  while (!cache_->reserve(lane.sequence, tokens)) {
    auto other = std::ranges::find_if(running_.rbegin(), running_.rend(), [&](const Lane* l) {
      return l != &lane && l->rows == 0 && (lane.rank() < l->rank() || l->waits_for(lane));
    });
    if (other == running_.rend()) return false;
    preempt(**other);
  }
  return true;
}

// Room for all of a lane that is to get a place. Others give theirs only where it is sure to help:
// those of a lower priority, beams that wait for this one or came later, and where its tenant has
// nothing running, those of tenants with several; but once for a request, or two could take turns
// for ever.
bool ServingModel::make_place_for(const Lane& lane) {
  const auto all = static_cast<int64_t>(lane.tokens.size());
  const bool first = lane.job->started == Clock::time_point();
  auto gives = [&](const Lane& other) {
    if (other.rows > 0) return false;
    const int32_t above = lane.job->request.priority - other.job->request.priority;
    const bool waits = !other.logits.empty() && lane.rank() < other.rank();
    return above > 0 || waits || other.waits_for(lane) ||
           (above == 0 && first && running_of(lane.job->request.tenant) == 0 &&
            running_of(other.job->request.tenant) > 1);
  };
  while (!cache_->reserve_prompt(lane.sequence, all, options_.prompt_rows)) {
    int64_t room = options_.cache_tokens - cache_->tokens_pinned();
    for (const Lane* other : running_)
      if (!gives(*other))
        room -= round_up(static_cast<int64_t>(other->tokens.size()), int64_t{kKvBlock});
    auto last = std::ranges::find_if(running_.rbegin(), running_.rend(),
                                     [&](const Lane* l) { return gives(*l); });
    if (room < all || last == running_.rend()) return false;
    preempt(**last);
  }
  return true;
}

// Who has been held up long enough that nobody who came later may take the room that it waits for.
void ServingModel::find_first_in_line(Clock::time_point now) {
  first_in_line_ = nullptr;
  for (const Lane* lane : lanes_)
    if (lane != nullptr && lane->held_up && now - lane->job->arrived > kLongHeldUp &&
        (first_in_line_ == nullptr || lane->rank() < first_in_line_->rank()))
      first_in_line_ = lane;
}

void ServingModel::preempt(Lane& lane) {
  DCHECK(lane.rows == 0);
  release(lane);
  scheduler_.want(lane.id, lane.logits.empty() ? lane.remaining() : 0);
  counts_.preemptions.fetch_add(1, std::memory_order_relaxed);
}

void ServingModel::expire(Clock::time_point now) {
  for (size_t i = jobs_.size(); i-- > 0;) {
    Job& job = *jobs_[i];
    if (job.started != Clock::time_point() || job.request.deadline > now) continue;
    counts_.refused.fetch_add(1, std::memory_order_relaxed);
    fail_job(job, fail(Code::kBusy, "the request waited too long for its turn; try again later")
                      .error());
  }
}

}  // namespace hearth
