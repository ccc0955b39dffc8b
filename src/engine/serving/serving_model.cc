#include "engine/serving/serving_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace hearth {
namespace {

double seconds_between(Job::Clock::time_point from, Job::Clock::time_point to) {
  return from == Job::Clock::time_point() ? 0 : std::chrono::duration<double>(to - from).count();
}

constexpr int64_t kSlabsAtOnce = 4;  // are given back, which takes milliseconds

// The conversation of those that do not name one: what the prompt begins with.
uint64_t beginning_of(std::span<const TokenId> prompt) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (TokenId id : prompt.first(std::min<size_t>(prompt.size(), kKvBlock)))
    hash = (hash ^ static_cast<uint32_t>(id)) * 0x100000001b3;
  return hash;
}

}  // namespace

Result<std::shared_ptr<ServingModel>> ServingModel::create(
    std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer,
    const ServingModelOptions& options, std::shared_ptr<ThreadPool> pool, const Kernels* kernels) {
  std::shared_ptr<ServingModel> out(new ServingModel);
  out->options_ = options;
  ServingModelOptions& o = out->options_;
  o.context = o.context > 0 ? std::min(o.context, model->config.context) : model->config.context;
  o.cache_tokens = std::max(o.cache_tokens, o.context);
  if (o.window_tokens == 0) o.window_tokens = o.cache_tokens;
  for (const CacheSpec& spec : model->program.caches)
    if (spec.kind == CacheKind::kWindowed)
      o.window_tokens =
          std::max(o.window_tokens, KvCache::window_room(spec.window, o.prompt_rows));
  out->cache_ = TRY(KvCache::create(model->program, o.kv, o.cache_tokens, o.window_tokens));
  out->cache_->spare_from_pins(o.context);  // whoever needs the most finds room
  out->runner_ = std::make_unique<Runner>(
      std::move(model),
      RunnerOptions{.precision = o.precision, .kernels = kernels, .pool = std::move(pool)});
  out->tokenizer_ = std::move(tokenizer);
  // One pointer each: such functions are kept without asking for memory.
  out->logits_sink_ = [self = out.get()](int64_t first, int64_t rows, float* logits,
                                         int64_t stride) {
    self->on_logits(first, rows, logits, stride);
  };
  out->take_ = [self = out.get()](Scheduler::LaneId lane, int64_t rows) {
    return self->take_rows(*self->lanes_[static_cast<size_t>(lane)], rows);
  };
  out->publish_status();
  return out;
}

ServingModel::~ServingModel() = default;

Result<std::unique_ptr<Job>> ServingModel::prepare(ServeRequest request,
                                                   std::shared_ptr<ServeSink> sink) {
  const SamplingParams& params = request.plan->params;
  TRY(check_request(params, request.prompt.size()));
  for (TokenId id : request.prompt)
    if (id < 0 || id >= model().config.vocab)
      return fail(Code::kInvalid, "token id {} is outside the vocabulary of {}", id,
                  model().config.vocab);
  auto job = std::make_unique<Job>();
  int64_t context = options_.context;
  if (request.context > 0) context = std::min(context, request.context);
  job->overflow =
      TRY(Overflow::create(params, request.prompt, tokenizer_->bos(), context));
  Timings& timings = job->out.timings;
  timings.dropped_tokens = job->overflow.slide(request.prompt);
  timings.prompt_tokens = static_cast<int64_t>(request.prompt.size());
  job->limit = job->overflow.limit(params, timings.prompt_tokens);
  if (request.conversation == 0) request.conversation = beginning_of(request.prompt);
  job->arrived = Clock::now();
  TRY(admit(request, job->arrived));
  tenant_count(request.tenant).waiting.fetch_add(1, std::memory_order_relaxed);
  counts_.waiting.fetch_add(1, std::memory_order_relaxed);
  counts_.waiting_tokens.fetch_add(timings.prompt_tokens, std::memory_order_relaxed);
  job->request = std::move(request);
  job->sink = std::move(sink);
  return job;
}

// Whether there is a place for one more, and hope for its turn in time. Whose tenant has nothing
// waiting finds a place in a queue that others have filled.
Result<void> ServingModel::admit(const ServeRequest& request, Clock::time_point now) const {
  auto get = [](const auto& from) { return from.load(std::memory_order_relaxed); };
  const int64_t beyond = get(counts_.running) + get(counts_.waiting) - options_.rows_max;
  const int64_t queue = options_.queue_max;
  if (beyond >= queue && (get(tenant_count(request.tenant).waiting) > 0 || beyond >= 2 * queue)) {
    counts_.refused.fetch_add(1, std::memory_order_relaxed);
    return fail(Code::kBusy, "{} requests run and {} wait already; try again later",
                get(counts_.running), get(counts_.waiting));
  }
  if (request.deadline != Clock::time_point::max() &&
      expected_wait() > seconds_between(now, request.deadline)) {
    counts_.refused.fetch_add(1, std::memory_order_relaxed);
    return fail(Code::kBusy, "what waits already takes longer than this request may wait; try "
                             "again later");
  }
  return {};
}

// By the tokens that have to be computed before, and by how soon others began.
double ServingModel::expected_wait() const {
  auto get = [](const auto& from) { return from.load(std::memory_order_relaxed); };
  const double rate = get(counts_.rate);
  const double tokens = rate > 0 ? static_cast<double>(get(counts_.waiting_tokens)) / rate : 0;
  return std::max(tokens, static_cast<double>(get(counts_.waiting)) * get(counts_.begin_seconds));
}

void ServingModel::add(std::unique_ptr<Job> owned) {
  Job& job = *jobs_.emplace_back(std::move(owned));
  job.out.choices.resize(static_cast<size_t>(job.answers()));
  for (Generation& choice : job.out.choices) choice.reason = FinishReason::kCancelled;
  if (job.params().prompt_logprobs >= 0)
    job.out.prompt_logprobs.resize(job.request.prompt.size() - 1);
  Lane& lane = add_lane(job, 0);
  lane.tokens = job.request.prompt;
  scheduler_.want(lane.id, lane.remaining());
}

Lane& ServingModel::add_lane(Job& job, int32_t choice) {
  Lane& lane = *job.lanes.emplace_back(std::make_unique<Lane>());
  if (spare_lanes_.empty()) {
    spare_lanes_.push_back(static_cast<int32_t>(lanes_.size()));
    lanes_.push_back(nullptr);
  }
  lane.id = spare_lanes_.back();
  spare_lanes_.pop_back();
  lanes_[static_cast<size_t>(lane.id)] = &lane;
  lane.job = &job;
  lane.choice = choice;
  const double since = std::chrono::duration<double>(job.arrived.time_since_epoch()).count();
  scheduler_.add(lane.id, job.request.tenant, job.request.conversation, job.request.priority,
                 since);
  return lane;
}

void ServingModel::insert_running(Lane& lane) {
  running_.insert(std::ranges::upper_bound(running_, lane.rank(), {},
                                           [](const Lane* other) { return other->rank(); }),
                  &lane);
}

// The lane's place in the cache is free for others; what was computed stays known.
void ServingModel::release(Lane& lane) {
  if (lane.sequence < 0) return;
  cache_->publish(lane.sequence, lane.tokens);
  cache_->remove_sequence(lane.sequence);
  lane.sequence = -1;
  lane.computed = 0;
  lane.published = 0;
  std::erase(running_, &lane);
}

void ServingModel::remove_lane(Lane& lane) {
  release(lane);
  scheduler_.remove(lane.id);
  lanes_[static_cast<size_t>(lane.id)] = nullptr;
  spare_lanes_.push_back(lane.id);
  std::ranges::replace(pieces_, &lane, nullptr);
  std::erase_if(lane.job->lanes, [&](const auto& other) { return other.get() == &lane; });
}

void ServingModel::emit(const ServeEvent& event, const Job& job) {
  if (job.sink == nullptr) return;
  ServeEvent out = event;
  out.request = job.id;
  job.sink->on_event(out);
}

void ServingModel::finish_lane(Lane& lane, FinishReason reason) {
  Job& job = *lane.job;
  std::string rest;
  auto choice = static_cast<size_t>(lane.choice);
  job.out.choices[choice] =
      lane.answer->finish(reason, [&](std::string_view text) { rest += text; });
  job.out.choices[choice].dropped_tokens += job.out.timings.dropped_tokens;
  if (!rest.empty() && job.streams())
    emit({.kind = ServeEventKind::kToken, .choice = lane.choice, .text = rest}, job);
  remove_lane(lane);
}

void ServingModel::finish_job(Job& job) {
  const auto now = Clock::now();
  Completion& out = job.out;
  if (!job.prompt_done) job.prompted = now;
  out.timings.prompt_s = seconds_between(job.started, job.prompted);
  out.timings.generate_s = seconds_between(job.prompted, now);
  for (const Generation& choice : out.choices)
    out.timings.generated_tokens += choice.timings.generated_tokens;
  if (job.params().best_of > job.params().n && !job.searches())
    keep_likeliest(out.choices, static_cast<size_t>(job.params().n));
  emit({.kind = ServeEventKind::kDone, .completion = &out}, job);
  erase(job);
}

void ServingModel::fail_job(Job& job, const Error& error) {
  emit({.kind = ServeEventKind::kError, .error = &error}, job);
  erase(job);
}

void ServingModel::erase(const Job& job) {
  auto at = std::ranges::find(jobs_, &job, &std::unique_ptr<Job>::get);
  while (!(*at)->lanes.empty()) remove_lane(*(*at)->lanes.back());
  if ((*at)->started == Clock::time_point()) {
    leave_queue(**at);
  } else {
    counts_.running.fetch_sub(1, std::memory_order_relaxed);
    tenant_count(job.request.tenant).running.fetch_sub(1, std::memory_order_relaxed);
  }
  // The sink's owner hears the end of the step even where this was its last request.
  if ((*at)->sink != nullptr) (*at)->sink->on_step_end();
  jobs_.erase(at);
}

void ServingModel::leave_queue(const Job& job) {
  tenant_count(job.request.tenant).waiting.fetch_sub(1, std::memory_order_relaxed);
  counts_.waiting_tokens.fetch_sub(job.out.timings.prompt_tokens, std::memory_order_relaxed);
  if (counts_.waiting.fetch_sub(1, std::memory_order_relaxed) > 1) return;
  // How slowly one queue moved says nothing of the next.
  last_begin_ = {};
  begins_ = begin_seconds_ = 0;
  counts_.begin_seconds.store(0, std::memory_order_relaxed);
}

Job* ServingModel::find(RequestId id) {
  auto at = std::ranges::find(jobs_, id, [](const auto& job) { return job->id; });
  return at == jobs_.end() ? nullptr : at->get();
}

void ServingModel::cancel(RequestId id) {
  Job* job = find(id);
  if (job == nullptr) return;
  while (!job->lanes.empty()) {
    Lane& lane = *job->lanes.back();
    if (lane.answer != nullptr) finish_lane(lane, FinishReason::kCancelled);
    else remove_lane(lane);
  }
  if (job->beams != nullptr) finish_beams(*job, true);
  else finish_job(*job);
  if (jobs_.empty()) publish_status();  // no step follows that would
}

void ServingModel::cancel_all() {
  while (!jobs_.empty()) cancel(jobs_.back()->id);
  publish_status();
}

ServingModel::Clock::time_point ServingModel::next_deadline() const {
  auto first = cache_->next_unpin();
  if (jobs_.empty() && !lean_) first = std::min(first, worked_ + options_.idle_time);
  for (const auto& job : jobs_)
    if (job->started == Clock::time_point()) first = std::min(first, job->request.deadline);
  return first;
}

void ServingModel::tend(Clock::time_point now) {
  if (now < next_deadline()) return;
  if (now >= cache_->next_unpin()) lean_ = false;
  cache_->unpin(now);
  if (jobs_.empty() && !lean_ && now >= worked_ + options_.idle_time) {
    cache_->forget_prefixes();
    lean_ = cache_->give_back(kSlabsAtOnce) < kSlabsAtOnce;
  }
  publish_status();
}

void ServingModel::publish_status() {
  auto put = [](std::atomic<int64_t>& to, int64_t value) {
    to.store(value, std::memory_order_relaxed);
  };
  put(counts_.blocks, cache_->blocks_made());
  put(counts_.blocks_kept, cache_->blocks_kept());
  put(counts_.blocks_used, cache_->blocks_used());
  put(counts_.blocks_pinned, cache_->blocks_pinned());
}

ServingStatus ServingModel::status() const {
  auto get = [](const auto& from) { return from.load(std::memory_order_relaxed); };
  return {.running = get(counts_.running), .waiting = get(counts_.waiting),
          .cache_blocks = cache_->blocks_max(), .cache_blocks_used = get(counts_.blocks_used),
          .cache_blocks_kept = get(counts_.blocks_kept),
          .cache_blocks_pinned = get(counts_.blocks_pinned),
          .prompt_tokens = get(counts_.prompt_tokens), .cached_tokens = get(counts_.cached_tokens),
          .generated_tokens = get(counts_.generated_tokens), .steps = get(counts_.steps),
          .preemptions = get(counts_.preemptions), .refused = get(counts_.refused),
          .tokens_per_second = get(counts_.rate)};
}

int64_t ServingModel::cache_bytes(bool at_most) const {
  const int64_t made = counts_.blocks.load(std::memory_order_relaxed);
  return at_most ? cache_->bytes_max()
                 : static_cast<int64_t>(static_cast<double>(cache_->bytes_max()) *
                                        static_cast<double>(made) /
                                        static_cast<double>(cache_->blocks_max()));
}

void ServingModel::check_integrity() const {
  cache_->check_integrity();
  for (size_t id = 0; id < lanes_.size(); ++id) {
    const Lane* lane = lanes_[id];
    if (lane == nullptr) continue;
    CHECK(lane->id == static_cast<int32_t>(id));
    const bool runs = std::ranges::find(running_, lane) != running_.end();
    CHECK(runs == (lane->sequence >= 0));
    CHECK(lane->sequence < 0 || cache_->length(lane->sequence) == lane->computed);
    CHECK(lane->rows == 0);
  }
  CHECK(std::ranges::is_sorted(running_, {}, [](const Lane* lane) { return lane->rank(); }));
}

std::string ServingModel::describe() const {
  std::string out;
  for (const Lane* lane : lanes_)
    if (lane != nullptr)
      out += fmt::format("lane {} of {}: {} tokens, {} computed, wants {}, sequence {}, logits {}, "
                         "prompt {}, tenant {}, priority {}, held up {}\n", lane->id,
                         lane->job->id, lane->tokens.size(), lane->computed,
                         scheduler_.wanted(lane->id), lane->sequence, lane->logits.size(),
                         lane->job->prompt_done, lane->job->request.tenant,
                         lane->job->request.priority, lane->held_up);
  return out + fmt::format("{} running, {} blocks used, {} kept of {}\n", running_.size(),
                           cache_->blocks_used(), cache_->blocks_kept(), cache_->blocks_max());
}

void ServingModel::preempt_all() {
  while (!running_.empty()) preempt(*running_.back());
}

}  // namespace hearth
