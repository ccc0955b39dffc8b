// The serving engine against a Session, which runs one request at a time: whatever the schedule,
// an answer has the same bits.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "engine/serving/serving_model.h"
#include "engine/tiny_session.h"
#include "malformed/failing_new.h"

namespace hearth {
namespace {

struct Told {
  std::map<int32_t, std::string> text;
  std::map<int32_t, std::vector<TokenId>> tokens;
  std::optional<Completion> done;
  std::optional<Error> error;
};

class Recorder : public ServeSink {
 public:
  void on_event(const ServeEvent& event) override {
    Told& told = told_[event.request];
    EXPECT_FALSE(told.done || told.error) << "an event after the last one";
    switch (event.kind) {
      case ServeEventKind::kPrompt:
        EXPECT_GT(event.computed, 0);
        break;
      case ServeEventKind::kToken:
        told.text[event.choice] += event.text;
        if (event.token >= 0) told.tokens[event.choice].push_back(event.token);
        break;
      case ServeEventKind::kDone: told.done = std::move(*event.completion); break;
      case ServeEventKind::kError: told.error = *event.error; break;
    }
  }
  Told& of(RequestId id) { return told_[id]; }

 private:
  std::map<RequestId, Told> told_;
};

void expect_same(const Generation& a, const Generation& b, const std::string& what) {
  EXPECT_EQ(a.tokens, b.tokens) << what;
  EXPECT_EQ(a.text, b.text) << what;
  EXPECT_EQ(a.reason, b.reason) << what;
  EXPECT_EQ(a.stop_text, b.stop_text) << what;
  EXPECT_EQ(a.score, b.score) << what;
  EXPECT_EQ(a.dropped_tokens, b.dropped_tokens) << what;
  ASSERT_EQ(a.logprobs.size(), b.logprobs.size()) << what;
  for (size_t i = 0; i < a.logprobs.size(); ++i) {
    EXPECT_EQ(a.logprobs[i].chosen.logprob, b.logprobs[i].chosen.logprob) << what;
    ASSERT_EQ(a.logprobs[i].top.size(), b.logprobs[i].top.size()) << what;
    for (size_t k = 0; k < a.logprobs[i].top.size(); ++k)
      EXPECT_EQ(a.logprobs[i].top[k].logprob, b.logprobs[i].top[k].logprob) << what;
  }
}

void expect_same(const Completion& a, const Completion& b, const std::string& what) {
  ASSERT_EQ(a.choices.size(), b.choices.size()) << what;
  for (size_t i = 0; i < a.choices.size(); ++i) expect_same(a.choices[i], b.choices[i], what);
  ASSERT_EQ(a.prompt_logprobs.size(), b.prompt_logprobs.size()) << what;
  for (size_t i = 0; i < a.prompt_logprobs.size(); ++i)
    EXPECT_EQ(a.prompt_logprobs[i].chosen.logprob, b.prompt_logprobs[i].chosen.logprob) << what;
}

class ServingTest : public TinySession {
 protected:
  static constexpr int64_t kContext = 160;

  struct Question {
    std::vector<TokenId> prompt;
    SamplingParams params;
    Completion answer;  // a session's
  };

  std::shared_ptr<ServingModel> serve(ServingModelOptions options, int threads = 1) {
    options.precision = Precision::kExact;
    options.kv = KvType::kF32;
    if (options.context == 0) options.context = kContext;
    auto made = ServingModel::create(model_, tokenizer_, options,
                                     std::make_shared<ThreadPool>(threads), nullptr);
    EXPECT_TRUE(made.has_value());
    return *made;
  }

  Result<RequestId> ask(ServingModel& model, const std::vector<TokenId>& prompt,
                        const SamplingParams& params, ServeRequest request = {}) {
    request.prompt = prompt;
    request.plan = TRY(SamplerPlan::create(params, tokenizer_.get()));
    auto job = TRY(model.prepare(std::move(request), recorder_));
    job->id = ++last_id_;
    model.add(std::move(job));
    return last_id_;
  }

  bool step(ServingModel& model, double seconds = 0.06) {
    return model.step(seconds, Job::Clock::now(), watch_);
  }

  // All kinds of requests, some of which begin alike.
  void make_questions(int64_t count, std::mt19937& random) {
    auto pick = [&](int n) { return static_cast<int64_t>(random() % static_cast<unsigned>(n)); };
    const std::vector<TokenId> common = some_tokens(70, 11);
    for (int64_t i = 0; i < count; ++i) {
      Question q;
      q.prompt = some_tokens(1 + pick(60), static_cast<TokenId>(pick(200)));
      if (pick(3) == 0) q.prompt.insert(q.prompt.begin(), common.begin(), common.end() - pick(60));
      SamplingParams& p = q.params;
      p.max_tokens = pick(12) == 0 ? 0 : 1 + pick(30);
      p.temperature = pick(2) == 0 ? 0 : 0.9;
      p.seed = pick(1000);
      p.ignore_eos = pick(2) == 0;
      if (pick(5) == 0) p.logprobs = pick(4);
      if (pick(6) == 0) p.prompt_logprobs = pick(3);
      if (pick(5) == 0) p.n = 2 + pick(3);
      if (pick(8) == 0) p.best_of = p.n + 1;
      if (pick(5) == 0) p.stop = {"e", "th"};
      if (pick(8) == 0) p.overflow = "slide", p.max_tokens = 100 + pick(150);
      if (pick(10) == 0)
        p = {.temperature = 0, .max_tokens = 1 + pick(10), .n = 2, .num_beams = 3};
      Session session = make(kContext);
      auto answer = session.complete(q.prompt, p, {});
      ASSERT_TRUE(answer.has_value()) << answer.error().message;
      q.answer = std::move(*answer);
      questions_.push_back(std::move(q));
    }
  }

  // Asks random ones at random times of a model with random limits, and compares every answer.
  void run_schedule(uint32_t seed) {
    std::mt19937 random(seed);
    auto pick = [&](int n) { return static_cast<int64_t>(random() % static_cast<unsigned>(n)); };
    auto model = serve({.cache_tokens = kContext * (1 + pick(6)), .window_tokens = window_tokens_,
                        .rows_max = 1 + pick(16),
                        .prompt_rows = pick(3) == 0 ? 1 + pick(8) : 1 + pick(512)},
                       pick(8) == 0 ? 2 : 1);
    recorder_ = std::make_shared<Recorder>();
    std::map<RequestId, size_t> asked;
    int64_t left = 1 + pick(16), steps = 0, preemptions = 10;
    while (left > 0 || model->has_work()) {
      while (left > 0 && pick(3) == 0) {
        const auto which = static_cast<size_t>(pick(static_cast<int>(questions_.size())));
        auto id = ask(*model, questions_[which].prompt, questions_[which].params,
                      {.tenant = static_cast<uint64_t>(pick(3)), .salt = 1,
                       .priority = static_cast<int32_t>(pick(2)),
                       .pin = std::chrono::seconds(pick(3) == 0 ? 1 + pick(1000) : 0)});
        ASSERT_TRUE(id.has_value()) << id.error().message;
        asked[*id] = which;
        --left;
      }
      if (pick(20) == 0 && --preemptions > 0) model->preempt_all();
      if (pick(30) == 0) model->cache().forget_prefixes();
      if (pick(30) == 0) model->cache().unpin(Job::Clock::now() + std::chrono::seconds(pick(1200)));
      step(*model, pick(2) == 0 ? 1e-7 : 1.0);
      if (pick(8) == 0) model->check_integrity();
      ASSERT_LT(++steps, 50000) << "seed " << seed << " does not end:\n" << model->describe();
    }
    model->check_integrity();
    EXPECT_EQ(model->cache().blocks_used(), 0);
    model->tend(Job::Clock::time_point::max());
    EXPECT_EQ(model->status().cache_blocks_pinned, 0);
    EXPECT_EQ(model->cache().blocks_kept(), 0);
    EXPECT_EQ(model->cache().blocks_made(), 0);
    for (const auto& [id, which] : asked) check(id, questions_[which], seed);
  }

  void check(RequestId id, const Question& question, uint32_t seed) {
    const std::string what = "seed " + std::to_string(seed) + ", request " + std::to_string(id);
    const Told& told = recorder_->of(id);
    ASSERT_TRUE(told.done.has_value()) << what << ": " << (told.error ? told.error->message : "");
    expect_same(*told.done, question.answer, what);
    const SamplingParams& p = question.params;
    if (p.best_of > p.n || p.num_beams > 1) return;
    for (size_t i = 0; i < question.answer.choices.size(); ++i) {
      auto at = static_cast<int32_t>(i);
      const Generation& choice = question.answer.choices[i];
      const auto text = told.text.find(at);
      EXPECT_EQ(text == told.text.end() ? "" : text->second, choice.text) << what;
      const auto tokens = told.tokens.find(at);
      if (tokens != told.tokens.end()) EXPECT_EQ(tokens->second, choice.tokens) << what;
      else EXPECT_TRUE(choice.tokens.empty()) << what;
    }
  }

  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  RequestId last_id_ = 0;
  int64_t window_tokens_ = 0;
  StepWatch watch_;
  std::vector<Question> questions_;
};

TEST_F(ServingTest, AnswersHaveTheSameBitsInEverySchedule) {
  std::mt19937 random(7);
  make_questions(60, random);
  const uint32_t schedules = std::getenv("HEARTH_TEST_LONG") != nullptr ? 1000 : 60;
  for (uint32_t seed = 0; seed < schedules && !HasFailure(); ++seed) run_schedule(seed);
}

TEST_F(ServingTest, WindowsToo) {
  load("gemma3");
  std::mt19937 random(8);
  make_questions(20, random);
  for (uint32_t seed = 100; seed < 120 && !HasFailure(); ++seed) run_schedule(seed);
}

TEST_F(ServingTest, CancellingFreesEverything) {
  std::mt19937 random(3);
  make_questions(30, random);
  auto model = serve({.cache_tokens = kContext * 4});
  std::vector<RequestId> open;
  for (int i = 0; i < 5000; ++i) {
    const Question& q = questions_[random() % questions_.size()];
    auto id = ask(*model, q.prompt, q.params, {.tenant = random() % 3});
    ASSERT_TRUE(id.has_value()) << id.error().message;
    open.push_back(*id);
    for (unsigned steps = random() % 4; steps > 0; --steps) step(*model, 1e-7);
    while (open.size() > 6) {
      const size_t at = random() % open.size();
      model->cancel(open[at]);
      const Told& told = recorder_->of(open[at]);
      ASSERT_TRUE(told.done.has_value());
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (i % 500 == 0) model->check_integrity();
  }
  model->cancel_all();
  model->check_integrity();
  EXPECT_EQ(model->cache().blocks_used(), 0);
  EXPECT_EQ(model->status().waiting, 0);
  EXPECT_EQ(model->status().running, 0);
}

// A long run of everything at once. Whoever is not cancelled gets the right answer, and gets it
// while no more than a bounded number of others are served.
TEST_F(ServingTest, NobodyIsLostOrForgotten) {
  std::mt19937 random(11);
  auto pick = [&](int n) { return static_cast<int64_t>(random() % static_cast<unsigned>(n)); };
  make_questions(60, random);
  const int64_t steps_max = std::getenv("HEARTH_TEST_LONG") != nullptr ? 100000 : 4000;
  auto model = serve({.cache_tokens = kContext * 3, .rows_max = 12, .queue_max = 24,
                      .prompt_rows = 40});
  struct Open {
    size_t which;
    int64_t since;
  };
  std::map<RequestId, Open> open;
  int64_t finished = 0, longest = 0;
  for (int64_t now = 0; (now < steps_max || model->has_work()) && !HasFailure(); ++now) {
    if (now < steps_max && open.size() < 24 && pick(4) == 0) {
      const auto which = static_cast<size_t>(pick(60));
      auto id = ask(*model, questions_[which].prompt, questions_[which].params,
                    {.tenant = random() % 4, .conversation = random() % 3, .salt = random() % 2,
                     .priority = static_cast<int32_t>(random() % 2),
                     .pin = std::chrono::seconds(pick(8) == 0 ? 1 + pick(1000) : 0)});
      if (id.has_value()) {
        open[*id] = {which, now};
      } else {
        EXPECT_EQ(id.error().code, Code::kBusy);
      }
    }
    if (!open.empty() && pick(40) == 0) {
      auto at = std::next(open.begin(), pick(static_cast<int>(open.size())));
      model->cancel(at->first);
      EXPECT_TRUE(recorder_->of(at->first).done.has_value());
      open.erase(at);
    }
    if (pick(400) == 0) model->preempt_all();
    if (pick(400) == 0) model->cache().forget_prefixes();
    if (pick(400) == 0) model->cache().unpin(Job::Clock::time_point::max());
    if (pick(64) == 0) model->check_integrity();
    step(*model, pick(2) == 0 ? 1e-7 : 1.0);
    std::erase_if(open, [&](const auto& entry) {
      if (!recorder_->of(entry.first).done) return false;
      check(entry.first, questions_[entry.second.which], 0);
      longest = std::max(longest, now - entry.second.since);
      ++finished;
      return true;
    });
  }
  EXPECT_TRUE(open.empty());
  EXPECT_GT(finished, steps_max / 40);
  EXPECT_LT(longest, 4000);
  model->check_integrity();
  EXPECT_EQ(model->cache().blocks_used(), 0);
}

// Steps in which nothing begins or ends ask for no memory.
TEST_F(ServingTest, ATokenAllocatesNothing) {
  auto model = serve({.context = 512, .cache_tokens = 8 * 512});
  recorder_ = nullptr;  // who would keep what it hears
  for (TokenId i = 0; i < 4; ++i)
    ASSERT_TRUE(ask(*model, some_tokens(20, i), greedy(400)).has_value());
  for (int i = 0; i < 40; ++i) step(*model);
  const int64_t before = allocations();
  int64_t quiet = 0;
  for (int i = 0; i < 300; ++i) {
    const int64_t at = allocations();
    step(*model);
    quiet += allocations() == at;
  }
  // Lists grow with the blocks of the four, now and then.
  EXPECT_GE(quiet, 300 - 4 * (300 / kKvBlock + 1)) << allocations() - before;
}

TEST_F(ServingTest, ThoseThatBeginAlikeComputeItOnce) {
  auto model = serve({.context = 512, .cache_tokens = 40 * 512});
  const std::vector<TokenId> system = some_tokens(200);
  for (TokenId i = 0; i < 32; ++i) {
    std::vector<TokenId> prompt = system;
    for (TokenId k = 0; k < 10; ++k) prompt.push_back(3 + i * 5 % 200 + k);
    ASSERT_TRUE(ask(*model, prompt, greedy(4)).has_value());
  }
  while (model->has_work()) step(*model, 1e-7);
  // The first computes all; the others what follows the last whole block of what is common.
  EXPECT_LE(model->status().prompt_tokens, 210 + 31 * (10 + 200 % kKvBlock));
}

TEST_F(ServingTest, SaltsKeepPrefixesApart) {
  auto model = serve({.context = 512, .cache_tokens = 8 * 512});
  const std::vector<TokenId> prompt = some_tokens(130);
  for (uint64_t salt : {1, 2, 1}) {
    auto id = ask(*model, prompt, greedy(2), {.salt = salt});
    while (model->has_work()) step(*model);
    const bool again = *id == 3;
    EXPECT_EQ(recorder_->of(*id).done->timings.cached_tokens, again ? 4 * kKvBlock : 0);
  }
}

// However much others ask, the prompt stays for as long as it was asked to, and no longer.
TEST_F(ServingTest, APinnedPromptStays) {
  auto model = serve({.cache_tokens = 8 * kContext, .idle_time = std::chrono::hours(9)});
  const std::vector<TokenId> prompt = some_tokens(130);
  auto run = [&](const std::vector<TokenId>& tokens, std::chrono::seconds pin) {
    auto id = ask(*model, tokens, greedy(2), {.pin = pin});
    while (model->has_work()) step(*model);
    return recorder_->of(*id).done->timings;
  };
  auto flood = [&] {
    for (TokenId i = 1; i < 40; ++i) run(some_tokens(100, i), {});
  };
  EXPECT_EQ(run(prompt, {}).pinned_tokens, 0);
  flood();
  EXPECT_EQ(run(prompt, std::chrono::hours(1)).cached_tokens, 0);  // it was given up
  EXPECT_EQ(model->status().cache_blocks_pinned, 4);
  const auto end = model->next_deadline();
  EXPECT_GT(end, Job::Clock::now() + std::chrono::minutes(59));
  EXPECT_LE(end, Job::Clock::now() + std::chrono::hours(1));
  flood();
  const Timings again = run(prompt, std::chrono::seconds(1));
  EXPECT_EQ(again.cached_tokens, 4 * kKvBlock);
  EXPECT_EQ(again.pinned_tokens, 4 * kKvBlock);
  model->tend(end - std::chrono::seconds(1));
  EXPECT_EQ(model->status().cache_blocks_pinned, 4);  // the longer one of both
  model->tend(end);
  EXPECT_EQ(model->status().cache_blocks_pinned, 0);
  EXPECT_GT(model->next_deadline(), end + std::chrono::hours(7));
  flood();
  EXPECT_EQ(run(prompt, {}).cached_tokens, 0);
}

TEST_F(ServingTest, AnIdleModelGivesItsMemoryBack) {
  auto model = serve({.context = 256, .cache_tokens = 80 * 256});
  EXPECT_EQ(model->next_deadline(), Job::Clock::time_point::max());
  auto run = [&](TokenId which, std::chrono::seconds pin) {
    auto id = ask(*model, some_tokens(200, which), greedy(2), {.pin = pin});
    EXPECT_TRUE(id.has_value());
    while (model->has_work()) step(*model);
    return recorder_->of(*id).done->timings.cached_tokens;
  };
  for (TokenId i = 0; i < 90; ++i) run(i, {});  // more slabs than go at once
  run(99, std::chrono::hours(1));
  const int64_t before = model->cache_bytes(false);
  const auto due = model->next_deadline();
  EXPECT_GT(due, Job::Clock::now() + std::chrono::minutes(9));
  model->tend(due - std::chrono::seconds(1));
  EXPECT_EQ(model->cache_bytes(false), before);
  auto tend_all = [&](Job::Clock::time_point now) {
    for (int i = 0; i < 100 && model->next_deadline() <= now; ++i) model->tend(now);
    model->check_integrity();
  };
  model->tend(due);
  EXPECT_LE(model->next_deadline(), due);  // there is more
  EXPECT_LT(model->cache_bytes(false), before);
  tend_all(due);
  EXPECT_EQ(model->status().cache_blocks_kept, 200 / kKvBlock);  // the pinned ones
  EXPECT_LE(model->cache_bytes(false), before / 4);
  EXPECT_EQ(run(99, {}), 200 / kKvBlock * kKvBlock);
  EXPECT_EQ(run(38, {}), 0);
  tend_all(Job::Clock::time_point::max() - std::chrono::hours(1));
  EXPECT_EQ(model->cache_bytes(false), 0);
  EXPECT_EQ(model->next_deadline(), Job::Clock::time_point::max());
  EXPECT_EQ(run(38, {}), 0);
  EXPECT_EQ(run(38, {}), 200 / kKvBlock * kKvBlock);
}

// Pins of many owners leave room for a whole context.
TEST_F(ServingTest, PinsLeaveRoomForAContext) {
  auto model = serve({.cache_tokens = kContext + 64});
  for (uint64_t salt = 0; salt < 20; ++salt) {
    ASSERT_TRUE(ask(*model, some_tokens(70, static_cast<TokenId>(salt)), greedy(2),
                    {.salt = salt, .pin = std::chrono::hours(24)}).has_value());
    while (model->has_work()) step(*model);
  }
  EXPECT_GT(model->status().cache_blocks_pinned, 0);
  auto whole = ask(*model, some_tokens(kContext - 10, 99), greedy(10), {.salt = 99});
  for (int i = 0; i < 1000 && model->has_work(); ++i) step(*model);
  ASSERT_TRUE(recorder_->of(*whole).done.has_value()) << model->describe();
  EXPECT_EQ(recorder_->of(*whole).done->choices[0].tokens.size(), 10u);
}

TEST_F(ServingTest, RefusesWhatCannotBe) {
  auto model = serve({.rows_max = 1, .queue_max = 1});
  EXPECT_EQ(ask(*model, {}, greedy(1)).error().code, Code::kInvalid);
  EXPECT_EQ(ask(*model, {1 << 20}, greedy(1)).error().code, Code::kInvalid);
  EXPECT_EQ(ask(*model, {-1}, greedy(1)).error().code, Code::kInvalid);
  EXPECT_EQ(ask(*model, some_tokens(kContext), greedy(1)).error().code, Code::kTooLarge);
  EXPECT_EQ(ask(*model, some_tokens(20), greedy(1), {.context = 20}).error().code,
            Code::kTooLarge);
  EXPECT_TRUE(ask(*model, some_tokens(5), greedy(1)).has_value());
  EXPECT_TRUE(ask(*model, some_tokens(5), greedy(1)).has_value());
  EXPECT_EQ(ask(*model, some_tokens(5), greedy(1)).error().code, Code::kBusy);
  // A tenant with nothing in the queue still finds a place.
  EXPECT_TRUE(ask(*model, some_tokens(5), greedy(1), {.tenant = 9}).has_value());
  EXPECT_EQ(ask(*model, some_tokens(5), greedy(1), {.tenant = 9}).error().code, Code::kBusy);
  while (model->has_work()) step(*model);
  EXPECT_EQ(model->status().refused, 2);
}

// Layers with windows that have room for little more than one sequence: who finds none waits or
// gives way, and the answers are the same.
TEST_F(ServingTest, AnswersHaveTheSameBitsWithLittleRoomForWindows) {
  load("gemma3");
  std::mt19937 random(3);
  make_questions(20, random);
  window_tokens_ = 1;  // the least there may be
  for (uint32_t seed = 0; seed < 40 && !HasFailure(); ++seed) run_schedule(seed);
}

TEST_F(ServingTest, WithoutAQueueOnlyThoseComeInWhoCanBegin) {
  auto model = serve({.rows_max = 2, .queue_max = 0});
  const auto first = ask(*model, some_tokens(5), greedy(20));
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(ask(*model, some_tokens(5), greedy(20)).has_value());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask(*model, some_tokens(5), greedy(1)).error().code, Code::kBusy);
    EXPECT_EQ(ask(*model, some_tokens(5), greedy(1), {.tenant = 9}).error().code, Code::kBusy);
    step(*model);
  }
  model->cancel(*first);
  EXPECT_TRUE(ask(*model, some_tokens(5), greedy(1)).has_value());
  while (model->has_work()) step(*model);
}

// A tenant's many answers make way for another's first one: it has its first token after the first
// step, and no stream waits longer than for one step.
TEST_F(ServingTest, ACrowdDoesNotHoldUpANewcomer) {
  auto model = serve({.cache_tokens = 40 * kContext});
  std::vector<RequestId> crowd;
  for (int i = 0; i < 20; ++i)
    crowd.push_back(
        *ask(*model, some_tokens(4, static_cast<TokenId>(i)), greedy(100), {.tenant = 1}));
  while (model->status().running < 20 || recorder_->of(crowd.back()).tokens.empty()) step(*model);
  auto tokens = [&](RequestId id) { return recorder_->of(id).tokens[0].size(); };
  for (uint64_t tenant = 2; tenant < 6; ++tenant) {
    const size_t before = tokens(crowd[0]);
    const auto one = ask(*model, some_tokens(30, static_cast<TokenId>(tenant)), greedy(3),
                         {.tenant = tenant});
    step(*model, 1);
    EXPECT_EQ(tokens(*one), 1u);
    EXPECT_EQ(tokens(crowd[0]), before);
    step(*model, 1);
    EXPECT_EQ(tokens(crowd[0]), before + 1);
  }
  while (model->has_work()) step(*model);
}

// A newcomer ends a crowd's step that has just begun; its own comes next, and then the crowd's,
// which nobody ends.
TEST_F(ServingTest, ACrowdsStepMakesWayForANewcomerOnce) {
  auto model = serve({.cache_tokens = 40 * kContext});
  std::vector<RequestId> crowd;
  auto gather = [&] {
    while (model->has_work()) step(*model);
    crowd.clear();
    for (int i = 0; i < 20; ++i)
      crowd.push_back(
          *ask(*model, some_tokens(4, static_cast<TokenId>(i)), greedy(150), {.tenant = 1}));
    while (model->status().running < 20 || recorder_->of(crowd.back()).tokens.empty())
      step(*model);
  };
  auto tokens = [&] { return recorder_->of(crowd[0]).tokens[0].size(); };
  std::atomic<bool> presses{true};
  std::thread other([&] {
    while (presses) watch_.newcomer(*model, Job::Clock::now());
  });
  const auto until = Job::Clock::now() + std::chrono::seconds(60);
  gather();
  size_t before = tokens();
  EXPECT_TRUE(model->is_new(2));
  EXPECT_FALSE(model->is_new(1));
  for (step(*model); tokens() != before && Job::Clock::now() < until; step(*model)) {
    if (tokens() > 100) gather();
    before = tokens();
  }
  EXPECT_EQ(tokens(), before) << "no step was ended";
  const auto one = ask(*model, some_tokens(30, 2), greedy(3), {.tenant = 2});
  step(*model, 1);
  EXPECT_EQ(recorder_->of(*one).tokens[0].size(), 1u);
  EXPECT_EQ(tokens(), before);
  step(*model, 1);
  EXPECT_EQ(tokens(), before + 1);
  presses = false;
  other.join();
  while (model->has_work()) step(*model);
  EXPECT_TRUE(model->is_new(1));
}

TEST_F(ServingTest, WhoWaitsTooLongIsToldSo) {
  auto model = serve({.rows_max = 1});
  ASSERT_TRUE(ask(*model, some_tokens(5), greedy(50)).has_value());
  step(*model);
  auto late = ask(*model, some_tokens(6), greedy(5), {.deadline = Job::Clock::now()});
  if (late.has_value()) {
    step(*model);
    ASSERT_TRUE(recorder_->of(*late).error.has_value());
    EXPECT_EQ(recorder_->of(*late).error->code, Code::kBusy);
  } else {
    EXPECT_EQ(late.error().code, Code::kBusy);
  }
}

TEST_F(ServingTest, AWaitThatWouldBeTooLongIsForeseen) {
  auto model = serve({.rows_max = 1});
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(ask(*model, some_tokens(5), greedy(20)).has_value());
  EXPECT_EQ(model->expected_wait(), 0);  // nothing is known yet
  while (model->status().waiting > 4) step(*model);
  const double seconds = model->expected_wait();
  EXPECT_GT(seconds, 0);
  const auto in = [](double s) {
    return Job::Clock::now() + std::chrono::duration_cast<Job::Clock::duration>(
                                   std::chrono::duration<double>(s));
  };
  auto hopeless = ask(*model, some_tokens(5), greedy(1), {.deadline = in(seconds / 2)});
  EXPECT_EQ(hopeless.error().code, Code::kBusy);
  EXPECT_TRUE(ask(*model, some_tokens(5), greedy(1), {.deadline = in(seconds + 100)}).has_value());
  while (model->has_work()) step(*model);
  // The next queue is not judged by this one.
  ASSERT_TRUE(ask(*model, some_tokens(5), greedy(1)).has_value());
  EXPECT_LT(model->expected_wait(), seconds / 4);
  while (model->has_work()) step(*model);
}

TEST_F(ServingTest, TheLastOneCancelledLeavesNothing) {
  auto model = serve({});
  auto first = ask(*model, prompt_, greedy(50)), second = ask(*model, some_tokens(40), greedy(50));
  for (int i = 0; i < 3; ++i) step(*model);
  EXPECT_EQ(model->status().running, 2);
  model->cancel(*first);
  model->cancel(*second);  // no step follows
  EXPECT_EQ(model->status().running, 0);
  EXPECT_EQ(model->status().cache_blocks_used, 0);
}

TEST_F(ServingTest, AnAbortedStepChangesNothing) {
  auto model = serve({});
  auto id = ask(*model, prompt_, greedy(8));
  watch_.begin(*model, *id, {});
  watch_.cancelled(*id);
  EXPECT_TRUE(step(*model));
  EXPECT_EQ(model->status().prompt_tokens, 0);
  while (model->has_work()) step(*model);
  Session session = make();
  expect_same(recorder_->of(*id).done->choices[0], *session.generate(prompt_, greedy(8), {}), "");
}

}  // namespace
}  // namespace hearth
