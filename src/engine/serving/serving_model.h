// ServingModel: a model that is being served: its runner, its cache, and the requests for it. A
// step plans a batch (one row for every answer that is being generated, and as many rows of prompts
// as the time allows), runs it, and tells what came of it.
//
// On the engine's thread, but for status().
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "engine/runner.h"
#include "engine/serving/engine.h"
#include "engine/serving/job.h"
#include "engine/serving/scheduler.h"
#include "engine/serving/step_watch.h"
#include "engine/step_cost.h"

namespace hearth {

class ServingModel {
 public:
  using Clock = Job::Clock;

  static Result<std::shared_ptr<ServingModel>> create(std::shared_ptr<const Model> model,
                                                      std::shared_ptr<const Tokenizer> tokenizer,
                                                      const ServingModelOptions& options,
                                                      std::shared_ptr<ThreadPool> pool,
                                                      const Kernels* kernels);
  ~ServingModel();

  const ServingModelOptions& options() const { return options_; }
  const Model& model() const { return runner_->model(); }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

  // A job that is not yet on the engine's thread, checked: kInvalid, kTooLarge with the lengths,
  // kBusy. Any thread.
  Result<std::unique_ptr<Job>> prepare(ServeRequest request, std::shared_ptr<ServeSink> sink);

  void add(std::unique_ptr<Job> job);
  // What there is of its answer, as kDone with the reason kCancelled. Nothing where it is not here.
  void cancel(RequestId id);
  void cancel_all();

  // One step of about `seconds` while somebody watches; false where there is nothing to do. `now`
  // is the time that the step begins. Where somebody ends it early through `watch`, nothing is
  // changed.
  bool step(double seconds, Clock::time_point now, StepWatch& watch);
  bool has_work() const { return !jobs_.empty(); }
  // When the next thing has to be done that waits for no command: the first of the waiting requests
  // is given up (by a step), a pin ends, or memory goes back.
  Clock::time_point next_deadline() const;
  // What is due of it where there is no work; a little at a time, so that other models go on.
  void tend(Clock::time_point now);

  ServingStatus status() const;                     // any thread
  // Until a request that comes now gets its turn, as far as one can tell. Any thread.
  double expected_wait() const;
  // Whether a tenant has nothing running. Any thread.
  bool is_new(uint64_t tenant) const {
    return tenant_count(tenant).running.load(std::memory_order_relaxed) == 0;
  }
  int64_t cache_bytes(bool at_most) const;          // any thread
  KvCache& cache() { return *cache_; }              // for tests
  void check_integrity() const;
  std::string describe() const;  // a line for each lane, for people who look for a mistake
  // Gives up every place in the cache, as if memory had run out; for tests.
  void preempt_all();

 private:
  ServingModel() = default;

  // serving_model.cc
  Result<void> admit(const ServeRequest& request, Clock::time_point now) const;  // any thread
  Lane& add_lane(Job& job, int32_t choice);
  void remove_lane(Lane& lane);
  void insert_running(Lane& lane);
  void release(Lane& lane);
  Job* find(RequestId id);
  void emit(const ServeEvent& event, const Job& job);
  void finish_lane(Lane& lane, FinishReason reason);
  void finish_job(Job& job);
  void fail_job(Job& job, const Error& error);
  void erase(const Job& job);
  void publish_status();
  void leave_queue(const Job& job);
  struct TenantCount {
    std::atomic<int64_t> running{0}, waiting{0};  // requests
  };
  TenantCount& tenant_count(uint64_t tenant) const {
    return counts_.tenants[tenant % counts_.tenants.size()];
  }

  // serving_plan.cc
  // The request that dominates the step, or 0.
  RequestId plan(double seconds, Clock::time_point now);
  void plan_decodes();
  void plan_prompts(double seconds, Clock::time_point now);
  int64_t take_rows(Lane& lane, int64_t rows);
  bool start(Lane& lane);
  bool waits_for_sharer(const Lane& lane) const;
  bool make_room_for(const Lane& lane, int64_t tokens);
  bool make_place_for(const Lane& lane);
  void begin(Job& job, Lane& lane);
  void find_first_in_line(Clock::time_point now);
  void preempt(Lane& lane);
  void expire(Clock::time_point now);
  bool answers_next(const Lane& lane) const;
  bool watched() const;
  int64_t running_of(uint64_t tenant) const;
  bool is_newcomer(const Lane& lane) const;
  bool is_crowd(uint64_t tenant) const;
  bool newcomers_wait() const;
  void count_begin(Clock::time_point now);
  Clock::time_point makes_way(Clock::time_point now) const;

  // serving_step.cc
  void build_batch();
  void on_logits(int64_t first, int64_t rows, float* logits, int64_t stride);
  void take_logits(Lane& lane, int64_t row, std::span<float> logits);
  void settle(Clock::time_point now);
  void settle_lane(Lane& lane, Clock::time_point now);
  void go_on(Lane& lane);
  void begin_answers(Job& job);
  Lane& fork(const Lane& from, int32_t choice);
  void tell(Lane& lane);

  // serving_beams.cc
  Result<void> advance_beams(Job& job);
  void finish_beams(Job& job, bool cancelled);

  ServingModelOptions options_;
  std::unique_ptr<Runner> runner_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<KvCache> cache_;
  Scheduler scheduler_;
  StepCost cost_;
  StepMargin margin_;
  std::vector<std::unique_ptr<Job>> jobs_;  // in the order in which they came
  std::vector<Lane*> lanes_;                // by id; nullptr: free
  std::vector<int32_t> spare_lanes_;
  Clock::time_point worked_;                // when the last step ended
  bool lean_ = true;                        // the cache has nothing to give back
  std::vector<Lane*> running_;              // with a place in the cache, the most deserving first

  // Of the step that runs.
  Batch batch_;
  std::vector<Lane*> pieces_;
  struct WantedRow {
    Lane* lane;
    int64_t row;  // of the lane's piece
  };
  std::vector<WantedRow> wanted_;
  StepWork work_;
  double step_seconds_ = 0;    // what it may take
  bool keeps_time_ = false;    // that is a part of what streams may wait, and prompts
  bool full_ = false;          // fill it
  const Lane* first_in_line_ = nullptr;
  bool first_prompt_ = true;   // no prompt has rows yet
  bool for_newcomers_ = false;  // it goes on with no other prompts, and puts crowds' answers off
  bool made_way_ = false;       // one was ended for newcomers, and none of a crowd's has run since
  LogitsSink logits_sink_;
  Scheduler::Take take_;

  // Of requests that began while others waited; the latter two fade.
  Clock::time_point last_begin_;
  double begins_ = 0, begin_seconds_ = 0;

  struct Counters {
    std::atomic<int64_t> running{0}, waiting{0}, waiting_tokens{0};
    std::atomic<int64_t> blocks{0}, blocks_used{0}, blocks_kept{0}, blocks_pinned{0};
    std::atomic<int64_t> prompt_tokens{0}, cached_tokens{0}, generated_tokens{0};
    std::atomic<int64_t> steps{0}, preemptions{0}, refused{0};
    std::atomic<double> rate{0}, begin_seconds{0};  // tokens a second; from one begin to the next
    std::array<TenantCount, 256> tenants{};  // some may share one
  };
  mutable Counters counts_;
};

}  // namespace hearth
