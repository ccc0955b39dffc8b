// The engine's thread: requests from many threads, several models, cancelling and leaving.
#include "engine/serving/engine.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "engine/tiny_session.h"

namespace hearth {
namespace {

// Waits for the end of one request.
class Waiter : public ServeSink {
 public:
  void on_event(const ServeEvent& event) override {
    if (event.kind == ServeEventKind::kToken && event.token >= 0) tokens_.fetch_add(1);
    if (event.kind != ServeEventKind::kDone && event.kind != ServeEventKind::kError) return;
    std::lock_guard lock(mutex_);
    if (event.completion != nullptr) done_ = std::move(*event.completion);
    if (event.error != nullptr) error_ = *event.error;
    ended_ = true;
    wake_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return ended_; });
  }
  const Completion& done() const { return *done_; }
  const std::optional<Error>& error() const { return error_; }
  int64_t tokens() const { return tokens_.load(); }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::optional<Completion> done_;
  std::optional<Error> error_;
  std::atomic<int64_t> tokens_{0};
};

class EngineTest : public TinySession {
 protected:
  static constexpr ServingModelOptions kOptions = {
      .precision = Precision::kExact, .kv = KvType::kF32, .context = 256,
      .cache_tokens = 16 * 256};

  ServeRequest request(const std::vector<TokenId>& prompt, const SamplingParams& params) {
    return {.prompt = prompt, .plan = *SamplerPlan::create(params, tokenizer_.get())};
  }
};

TEST_F(EngineTest, ManyThreadsAndTwoModels) {
  ServingEngine engine({.threads = 2});
  std::vector<std::shared_ptr<ServingModel>> models;
  for (int i = 0; i < 2; ++i) models.push_back(*engine.add_model(model_, tokenizer_, kOptions));
  Session session = make(256);
  const Generation alone = *session.generate(prompt_, greedy(20), {});
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 60; ++i) {
        auto sink = std::make_shared<Waiter>();
        auto id = engine.submit(models[random() % 2], request(prompt_, greedy(20)), sink);
        ASSERT_TRUE(id.has_value()) << id.error().message;
        const bool cancels = random() % 3 == 0;
        if (cancels) {
          while (sink->tokens() < static_cast<int64_t>(random() % 4)) std::this_thread::yield();
          engine.cancel(*id);
        }
        sink->wait();
        ASSERT_FALSE(sink->error().has_value());
        const Generation& choice = sink->done().choices.at(0);
        if (choice.reason != FinishReason::kCancelled) EXPECT_EQ(choice.tokens, alone.tokens);
        else EXPECT_TRUE(cancels);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& model : models) {
    const ServingStatus status = ServingEngine::status(*model);
    EXPECT_EQ(status.waiting, 0);
    engine.remove_model(model);
  }
}

TEST_F(EngineTest, MemoryGoesBackWhileNobodyAsks) {
  ServingEngine engine({.threads = 2});
  ServingModelOptions options = kOptions;
  options.idle_time = std::chrono::milliseconds(20);
  auto model = *engine.add_model(model_, tokenizer_, options);
  for (int i = 0; i < 3; ++i) {
    auto other = *engine.add_model(model_, tokenizer_, options);
    auto sink = std::make_shared<Waiter>();
    ASSERT_TRUE(engine.submit(model, request(some_tokens(100), greedy(3)), sink).has_value());
    sink->wait();
    engine.remove_model(other);  // after the step
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (ServingEngine::cache_bytes(*model) > 0 && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(ServingEngine::cache_bytes(*model), 0);
    EXPECT_EQ(sink->done().timings.cached_tokens, 0);
  }
}

TEST_F(EngineTest, LeavingEndsWhatRuns) {
  auto sink = std::make_shared<Waiter>();
  auto removed = std::make_shared<Waiter>();
  {
    ServingEngine engine({.threads = 2});
    auto first = *engine.add_model(model_, tokenizer_, kOptions);
    auto second = *engine.add_model(model_, tokenizer_, kOptions);
    ASSERT_TRUE(engine.submit(first, request(prompt_, greedy(200)), removed).has_value());
    ASSERT_TRUE(engine.submit(second, request(prompt_, greedy(200)), sink).has_value());
    engine.remove_model(first);
    removed->wait();
    EXPECT_NE(removed->done().choices.at(0).reason, FinishReason::kStop);
  }
  sink->wait();
  EXPECT_NE(sink->done().choices.at(0).reason, FinishReason::kStop);
}

// The wait for a step is not the wait for the prompt: a cancelled request of 16,000 tokens ends
// long before it would have been read.
TEST_F(EngineTest, CancellingWorksInsideAPrompt) {
  ServingEngine engine({.threads = 2});
  ServingModelOptions options = kOptions;
  options.context = model_->config.context;
  auto model = *engine.add_model(model_, tokenizer_, options);
  auto sink = std::make_shared<Waiter>();
  auto id = engine.submit(model, request(some_tokens(options.context - 2), greedy(1)), sink);
  ASSERT_TRUE(id.has_value()) << id.error().message;
  engine.cancel(*id);
  sink->wait();
  EXPECT_EQ(sink->done().choices.at(0).reason, FinishReason::kCancelled);
}

// More members than processors: some are late wherever the step is given up, and none may be left.
TEST_F(EngineTest, MembersOfACancelledStepLeaveTogether) {
  ServingEngine engine({.threads = 8});
  ServingModelOptions options = kOptions;
  options.context = model_->config.context;
  auto model = *engine.add_model(model_, tokenizer_, options);
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    auto sink = std::make_shared<Waiter>();
    auto id = engine.submit(model, request(some_tokens(options.context - 2, i), greedy(1)), sink);
    ASSERT_TRUE(id.has_value()) << id.error().message;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    engine.cancel(*id);
    sink->wait();
  }
}

}  // namespace
}  // namespace hearth
