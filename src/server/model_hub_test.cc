#include "server/model_hub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/rng.h"
#include "registry/test_store.h"
#include "server/hub_backend.h"

namespace hearth::server {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Lease = ModelHub::Lease;

constexpr uint64_t kMiB = 1 << 20;

// Models that cost nothing, and an engine that keeps a list. Any thread.
class FakeModels final : public HubBackend {
 public:
  struct Made {
    uint64_t bytes = 10 * kMiB;
    int64_t context = 4096;
    std::string digest = "1";
    std::optional<Error> error = {}, add_error = {};
    bool adapter = false;
  };
  void put(const std::string& name, Made made) {
    std::lock_guard lock(mutex_);
    models_[model_key(name, false).value()] = std::move(made);
  }
  void remove_from_store(const std::string& name) {
    std::lock_guard lock(mutex_);
    models_.erase(model_key(name, false).value());
  }
  Result<FoundModel> find(const std::string& name) override {
    std::lock_guard lock(mutex_);
    FoundModel out;
    out.key = model_key(name, false).value();
    auto it = models_.find(out.key);
    if (it == models_.end()) return fail(Code::kNotFound, "model '{}' not found", name);
    out.digest = it->second.digest;
    return out;
  }
  bool still(const FoundModel& model) override {
    std::lock_guard lock(mutex_);
    auto it = models_.find(model.key);
    return it != models_.end() && it->second.digest == model.digest;
  }
  Result<std::shared_ptr<LoadedModel>> open(const FoundModel& found) override {
    while (held) std::this_thread::sleep_for(1ms);
    std::lock_guard lock(mutex_);
    const Made made = models_[found.key];
    events_.push_back("open " + short_name(found.key));
    if (made.error) return std::unexpected(*made.error);
    auto model = std::make_shared<Model>();
    model->config.context = made.context;
    model->program.caches = {{.kv_heads = 1, .key_dim = 64, .value_dim = 64}};
    auto out = std::make_shared<LoadedModel>();
    out->resolved.display_name = short_name(found.key);
    out->resolved.digest = found.digest;
    out->model = std::move(model);
    out->weight_bytes = made.bytes;
    return out;
  }
  Result<uint64_t> add(LoadedModel& model, const ServingModelOptions& options) override {
    std::lock_guard lock(mutex_);
    const std::string name = model.resolved.display_name;
    if (auto error = models_[model_key(name, false).value()].add_error)
      return std::unexpected(*error);
    events_.push_back("add " + name);
    added_.insert(&model);
    last = options;
    ++adds;
    return cache_bytes;
  }
  void remove(const LoadedModel& model) override {
    std::lock_guard lock(mutex_);
    events_.push_back("remove " + model.resolved.display_name);
    EXPECT_EQ(added_.erase(&model), 1u) << "removed twice or never added";
  }
  bool has(const LoadedModel& model) {
    std::lock_guard lock(mutex_);
    return added_.contains(&model);
  }
  size_t in_engine() {
    std::lock_guard lock(mutex_);
    return added_.size();
  }
  bool saw(const std::string& event) {
    std::lock_guard lock(mutex_);
    return std::ranges::count(events_, event) > 0;
  }
  std::vector<std::string> take_events() {
    std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }
  static std::string short_name(const std::string& key) {
    return ModelName::parse(key).value().name();
  }

  std::atomic<bool> held = false;  // opening waits while it is set
  std::atomic<int> adds = 0;
  uint64_t cache_bytes = 0;
  ServingModelOptions last;

 private:
  std::mutex mutex_;
  std::map<std::string, Made> models_;
  std::vector<std::string> events_;
  std::set<const LoadedModel*> added_;
};

class Hub : public testing::Test {
 protected:
  ~Hub() override {
    if (models_ != nullptr) models_->held = false;
  }
  void make(HubOptions options) {
    if (options.memory_max == 0) options.memory_max = 100 * kMiB;
    auto models = std::make_unique<FakeModels>();
    models_ = models.get();
    for (const char* name : {"a", "b", "c"}) models_->put(name, {});
    hub_ = std::make_unique<ModelHub>(io_, std::move(models), options);
  }
  // Runs a coroutine, and all that it spawned, to the end.
  template <class F>
  void run(F&& test) {
    bool ended = false;
    auto body = [&]() -> Task<void> {
      co_await test();
      ended = true;
    };
    asio::co_spawn(io_, body(), asio::detached);
    io_.restart();
    // Timers of idle models are work, too: only what a test waits for counts.
    const auto limit = Clock::now() + 60s;
    while (!ended && Clock::now() < limit) io_.run_one_for(100ms);
    EXPECT_TRUE(ended) << "it hangs";
  }
  Task<void> sleep(std::chrono::milliseconds time) {
    asio::steady_timer timer(io_, time);
    co_await timer.async_wait(asio::use_awaitable);
  }
  template <class F>
  Task<void> until(F condition) {
    const auto limit = Clock::now() + 20s;
    while (!condition() && Clock::now() < limit) co_await sleep(1ms);
    EXPECT_TRUE(condition());
  }
  Task<Result<Lease>> get(std::string name, std::optional<double> seconds = {},
                          bool longest = false) {
    std::optional<api::KeepAlive> keep;
    if (seconds) keep = api::KeepAlive{.seconds = *seconds, .forever = *seconds < 0};
    return hub_->acquire(std::move(name), keep, longest);
  }
  // A lease in the background; the place of its result.
  using Pending = std::shared_ptr<std::optional<Result<Lease>>>;
  Pending start(std::string name, std::optional<double> seconds = {}) {
    auto out = std::make_shared<std::optional<Result<Lease>>>();
    asio::co_spawn(io_, get_into(out, std::move(name), seconds), asio::detached);
    return out;
  }
  Task<void> get_into(Pending out, std::string name, std::optional<double> seconds) {
    auto lease = co_await get(std::move(name), seconds);
    out->emplace(std::move(lease));
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const RunningModel& row : hub_->running())
      out.push_back(row.loaded->resolved.display_name);
    return out;
  }
  using Events = std::vector<std::string>;

  asio::io_context io_{1};
  FakeModels* models_ = nullptr;
  std::unique_ptr<ModelHub> hub_;
};

TEST_F(Hub, TenWaitersShareOneLoad) {
  make({});
  models_->held = true;
  run([&]() -> Task<void> {
    std::vector<Pending> all;
    for (int i = 0; i < 10; ++i) all.push_back(start(i % 2 == 0 ? "a" : "A:Latest"));
    co_await sleep(20ms);
    EXPECT_TRUE(std::ranges::none_of(all, [](auto& p) { return p->has_value(); }));
    EXPECT_TRUE(names().empty());
    models_->held = false;
    for (auto& p : all) co_await until([&] { return p->has_value(); });
    EXPECT_EQ(models_->take_events(), (Events{"open a", "add a"}));
    const LoadedModel* model = (**all[0])->model().get();
    for (auto& p : all) {
      EXPECT_EQ((**p)->model().get(), model);
      EXPECT_TRUE((**p)->was_loaded());
    }
    EXPECT_EQ(hub_->running().at(0).leases, 10);
    auto later = co_await get("a");
    EXPECT_FALSE(later->was_loaded());
    EXPECT_EQ(hub_->running().at(0).leases, 11);
  });
}

TEST_F(Hub, NamesThatAreNotThereWaitForNoLoad) {
  make({});
  models_->held = true;
  run([&]() -> Task<void> {
    auto slow = start("a");
    co_await sleep(5ms);
    auto none = co_await get("nothing");
    EXPECT_EQ(none.error().code, Code::kNotFound);
    auto path = co_await get("/etc/passwd");
    EXPECT_FALSE(path.has_value());
    EXPECT_FALSE((co_await get("")).has_value());
    EXPECT_FALSE(slow->has_value());
    models_->held = false;
    co_await until([&] { return slow->has_value(); });
  });
}

TEST_F(Hub, AFailedLoadIsToldToAllAndTriedAgain) {
  make({});
  models_->put("bad", {.error = Error{Code::kCorrupt, "it is broken"}});
  models_->held = true;
  run([&]() -> Task<void> {
    auto one = start("bad"), two = start("bad"), good = start("a");
    co_await sleep(10ms);
    models_->held = false;
    co_await until([&] { return one->has_value() && two->has_value() && good->has_value(); });
    EXPECT_EQ((*one)->error().message, "it is broken");
    EXPECT_EQ((*two)->error().message, "it is broken");
    EXPECT_TRUE((*good)->has_value());
    models_->put("bad", {.add_error = Error{Code::kOutOfMemory, "no room"}});
    auto third = co_await get("bad");
    EXPECT_EQ(third.error().message, "no room");
    models_->put("bad", {});
    EXPECT_TRUE((co_await get("bad")).has_value());
  });
}

TEST_F(Hub, AWaiterThatGoesLeavesTheLoadToOthers) {
  make({});
  models_->held = true;
  run([&]() -> Task<void> {
    asio::cancellation_signal first, second;
    auto gone = std::make_shared<std::optional<Result<Lease>>>();
    auto alone = std::make_shared<std::optional<Result<Lease>>>();
    asio::co_spawn(io_, get_into(gone, "a", {}),
                   asio::bind_cancellation_slot(first.slot(), asio::detached));
    auto stays = start("a");
    asio::co_spawn(io_, get_into(alone, "b", {}),
                   asio::bind_cancellation_slot(second.slot(), asio::detached));
    co_await sleep(10ms);
    first.emit(asio::cancellation_type::terminal);
    second.emit(asio::cancellation_type::terminal);
    co_await until([&] { return gone->has_value() && alone->has_value(); });
    EXPECT_EQ((*gone)->error().code, Code::kCancelled);
    models_->held = false;
    co_await until([&] { return stays->has_value(); });
    EXPECT_TRUE((*stays)->has_value());
    co_await sleep(10ms);
    EXPECT_EQ(models_->take_events(), (Events{"open a", "add a"})) << "nobody waited for b";
  });
}

TEST_F(Hub, TheLeastRecentlyUsedGoesFirst) {
  make({.memory_max = 45 * kMiB});  // the smallest cache is 1 MiB: room for four
  for (const char* name : {"d", "e", "f"}) models_->put(name, {});
  run([&]() -> Task<void> {
    for (const char* name : {"a", "b", "c", "d"}) (void)co_await get(name);
    (void)co_await get("a");
    auto b = co_await get("b");
    models_->take_events();
    (void)co_await get("e");
    EXPECT_EQ(models_->take_events(), (Events{"open e", "remove c", "add e"}));
    (void)co_await get("f");
    EXPECT_EQ(models_->take_events(), (Events{"open f", "remove d", "add f"}));
    (void)co_await get("c");
    EXPECT_EQ(models_->take_events(), (Events{"open c", "remove a", "add c"}));
    EXPECT_TRUE(models_->has(**b)) << "a lease keeps what is older";
    models_->put("large", {.bytes = 23 * kMiB});
    (void)co_await get("large");
    EXPECT_EQ(models_->take_events(),
              (Events{"open large", "remove e", "remove f", "add large"})) << "as many as it takes";
    (void)b;
  });
}

TEST_F(Hub, NoMoreModelsThanAllowed) {
  make({.models_max = 1});
  run([&]() -> Task<void> {
    (void)co_await get("a");
    (void)co_await get("b");
    EXPECT_EQ(names(), Events{"b"});
    auto b = co_await get("b");
    auto a = start("a");
    co_await sleep(20ms);
    EXPECT_FALSE(a->has_value()) << "it waits for the lease";
    EXPECT_TRUE(models_->has(**b));
    b = fail(Code::kCancelled, "gone");
    co_await until([&] { return a->has_value(); });
    EXPECT_EQ(names(), Events{"a"});
    EXPECT_EQ(models_->in_engine(), 1u);
  });
}

// Two clients that never stop must not keep a third from its model.
TEST_F(Hub, WhoWaitsForRoomGetsItsTurn) {
  make({.models_max = 1});
  run([&]() -> Task<void> {
    std::optional<Result<Lease>> first(co_await get("a")), second(co_await get("a"));
    auto b = start("b");
    co_await until([&] { return models_->saw("open b"); });
    models_->take_events();
    auto again = start("a");  // goes behind b
    first.reset();
    co_await sleep(10ms);
    EXPECT_FALSE(b->has_value());
    EXPECT_FALSE(again->has_value());
    second.reset();
    co_await until([&] { return b->has_value(); });
    EXPECT_FALSE(again->has_value());
    b->reset();
    co_await until([&] { return again->has_value(); });
    EXPECT_TRUE((*again)->value().was_loaded());
    EXPECT_EQ(models_->take_events(), (Events{"remove a", "add b", "open a", "remove b", "add a"}));
  });
}

TEST_F(Hub, WhenNobodyWaitsForRoomAnyMoreTheOldModelStays) {
  make({.models_max = 1});
  run([&]() -> Task<void> {
    auto a = co_await get("a");
    asio::cancellation_signal signal;
    auto b = std::make_shared<std::optional<Result<Lease>>>();
    asio::co_spawn(io_, get_into(b, "b", {}),
                   asio::bind_cancellation_slot(signal.slot(), asio::detached));
    co_await sleep(20ms);
    auto again = start("a");
    co_await sleep(5ms);
    EXPECT_FALSE(again->has_value());
    signal.emit(asio::cancellation_type::terminal);
    co_await until([&] { return again->has_value(); });
    EXPECT_FALSE((*again)->value().was_loaded());
    EXPECT_EQ((*again)->value().model(), a->model());
    EXPECT_EQ(models_->take_events(), (Events{"open a", "add a", "open b"}));
  });
}

TEST_F(Hub, WhatCanNeverFitIsRefusedAtOnce) {
  make({});
  models_->put("huge", {.bytes = 100 * kMiB});
  run([&]() -> Task<void> {
    auto a = co_await get("a");
    auto huge = co_await get("huge");
    EXPECT_EQ(huge.error().code, Code::kTooLarge);
    EXPECT_TRUE(huge.error().message.contains("huge")) << huge.error().message;
    EXPECT_EQ(models_->in_engine(), 1u) << "nothing went for its sake";
  });
}

TEST_F(Hub, StaysForItsKeepAlive) {
  make({.keep_alive = {.seconds = 0.15}});
  run([&]() -> Task<void> {
    const auto begin = Clock::now();
    (void)co_await get("a");        // the hub's own
    (void)co_await get("b", 0.4);
    (void)co_await get("c", -1);    // forever
    EXPECT_EQ(names(), (Events{"c", "b", "a"}));
    co_await until([&] { return names() == Events{"c", "b"}; });
    EXPECT_GE(Clock::now() - begin, 150ms);
    { auto b = co_await get("b"); co_await sleep(450ms); EXPECT_EQ(names().size(), 2u); }
    const auto end = Clock::now();  // its time begins when the last lease ends
    co_await until([&] { return names() == Events{"c"}; });
    EXPECT_GE(Clock::now() - end, 390ms);
    (void)co_await get("c", 0);     // at once
    EXPECT_TRUE(names().empty());
    co_await until([&] { return models_->in_engine() == 0; });
  });
}

TEST_F(Hub, SaysWhenModelsExpire) {
  make({.keep_alive = {.seconds = 60}});
  models_->cache_bytes = 7;
  run([&]() -> Task<void> {
    auto near = [](const RunningModel& row, double seconds) {
      const std::chrono::duration<double> left = *row.expires - std::chrono::system_clock::now();
      return left.count() > seconds - 5 && left.count() <= seconds;
    };
    auto a = co_await get("a");
    (void)co_await get("b", 100);
    (void)co_await get("c", std::numeric_limits<double>::quiet_NaN());
    (void)co_await get("c", 1e300);
    auto rows = hub_->running();
    EXPECT_EQ(names(), (Events{"c", "b", "a"}));
    EXPECT_FALSE(rows.at(0).expires.has_value());
    EXPECT_TRUE(near(rows.at(1), 100));
    EXPECT_TRUE(near(rows.at(2), 60)) << "in use: as if it were idle now";
    EXPECT_EQ(rows.at(2).leases, 1);
    EXPECT_EQ(rows.at(2).bytes, 10 * kMiB + 7);
  });
}

TEST_F(Hub, UnloadsWhenLeasesEnd) {
  make({});
  run([&]() -> Task<void> {
    EXPECT_EQ(hub_->unload("a").error().code, Code::kNotFound);
    auto a = co_await get("a");
    EXPECT_TRUE(hub_->unload("A:latest").has_value());
    co_await sleep(10ms);
    EXPECT_TRUE(models_->has(**a));
    a = fail(Code::kCancelled, "gone");
    co_await until([&] { return models_->in_engine() == 0; });
    EXPECT_TRUE(names().empty());
    models_->held = true;
    auto loading = start("b");
    co_await sleep(5ms);
    EXPECT_TRUE(hub_->unload("b").has_value()) << "about to be loaded";
    models_->held = false;
    co_await until([&] { return loading->has_value(); });
    EXPECT_TRUE(models_->has(****loading)) << "its waiter gets it nevertheless";
    loading->reset();
    EXPECT_TRUE(names().empty());
  });
}

TEST_F(Hub, AReplacedModelIsLoadedAnew) {
  make({});
  run([&]() -> Task<void> {
    auto old = co_await get("a");
    models_->put("a", {.digest = "2"});
    auto fresh = co_await get("a");  // seen without a word from anybody
    EXPECT_NE(old->model(), fresh->model());
    EXPECT_EQ((*fresh)->resolved.digest, "2");
    EXPECT_TRUE(models_->has(**old)) << "old leases finish on the old one";
    EXPECT_EQ(hub_->running().size(), 1u);
    old = fail(Code::kCancelled, "gone");
    co_await until([&] { return models_->in_engine() == 1; });
    EXPECT_TRUE(models_->has(**fresh));
    hub_->forget("a");
    auto third = co_await get("a");
    EXPECT_NE(third->model(), fresh->model());
    models_->remove_from_store("a");
    auto none = co_await get("a");
    EXPECT_EQ(none.error().code, Code::kNotFound);
    EXPECT_TRUE(names().empty()) << "what is no more in the store is not offered";
  });
}

TEST_F(Hub, ForgettingWhileItWaitsLoadsTheNewOne) {
  make({});
  models_->held = true;
  run([&]() -> Task<void> {
    auto a = start("a"), b = start("b"), c = start("c");
    co_await sleep(20ms);
    models_->put("b", {.digest = "2"});
    hub_->forget("b");
    models_->remove_from_store("c");
    hub_->forget("c");
    co_await until([&] { return c->has_value(); });
    EXPECT_EQ((*c)->error().code, Code::kNotFound);
    models_->held = false;
    co_await until([&] { return a->has_value() && b->has_value(); });
    EXPECT_EQ((**b)->model()->resolved.digest, "2");
    EXPECT_EQ(models_->take_events(), (Events{"open a", "add a", "open b", "add b"}));
  });
}

TEST_F(Hub, ContextAndCacheComeFromTheModelAndTheMemory) {
  make({.context = 3000});
  models_->put("long", {.bytes = 60 * kMiB, .context = 1 << 20});
  run([&]() -> Task<void> {
    auto a = co_await get("a");
    EXPECT_EQ((*a)->context, 3000);
    EXPECT_EQ(models_->last.context, 3000);
    EXPECT_EQ(models_->last.kv, default_kv_type(Precision::kHigh));
    EXPECT_GT(models_->last.cache_tokens, 20 * 3000) << "a quarter of the memory";
  });
  hub_.reset();
  make({});
  models_->put("long", {.bytes = 60 * kMiB, .context = 1 << 20});
  run([&]() -> Task<void> {
    auto model = co_await get("long");
    const int64_t context = (*model)->context;
    EXPECT_EQ(context % 256, 0);
    EXPECT_GT(context, 90'000) << "25 MiB at 258 bytes, so that others find room";
    EXPECT_LT(context, 25 * static_cast<int64_t>(kMiB) / 256);
    EXPECT_GE(models_->last.cache_tokens, context);
  });
  hub_.reset();
  make({.context = 500'000});
  models_->put("long", {.bytes = 60 * kMiB, .context = 1 << 20});
  run([&]() -> Task<void> {
    auto model = co_await get("long");
    const int64_t context = (*model)->context;
    EXPECT_GT(context, 150'000) << "all of the 40 MiB, where somebody asks for it";
    EXPECT_LT(context, 40 * static_cast<int64_t>(kMiB) / 256);
    EXPECT_EQ(models_->last.cache_tokens, context);
  });
}

// Who needs a longer context gets it in place of the shorter one, whose answers go on; what was
// read of the file is not read again.
TEST_F(Hub, AContextGrowsWhenItIsNeeded) {
  make({});
  models_->put("long", {.bytes = 10 * kMiB, .context = 1 << 20});
  run([&]() -> Task<void> {
    std::optional<Lease> first = *co_await get("long");
    const int64_t shared = (*first)->context, most = (*first)->context_most;
    EXPECT_GT(most, shared);
    auto same = co_await get("long", {}, false);
    EXPECT_EQ(same->model(), first->model());
    models_->take_events();
    std::optional<Result<Lease>> grown;
    auto grow = [&]() -> Task<void> { grown.emplace(co_await get("long", {}, true)); };
    asio::co_spawn(io_, grow, asio::detached);
    co_await sleep(20ms);
    EXPECT_FALSE(grown.has_value()) << "the shorter one holds the memory, and answers";
    first.reset();
    same = fail(Code::kCancelled, "");
    co_await until([&] { return grown.has_value(); });
    const Lease& lease = **grown;
    EXPECT_EQ(lease->context, most);
    EXPECT_EQ(lease->context_most, most);
    EXPECT_EQ(models_->last.context, most);
    EXPECT_EQ(models_->take_events(), (Events{"remove long", "add long"}));
    auto other = co_await get("long");
    EXPECT_EQ(other->model(), lease.model()) << "it stays so for all";
    auto again = co_await get("long", {}, true);
    EXPECT_EQ(again->model(), lease.model());
    EXPECT_EQ(names(), std::vector<std::string>{"long"});
  });
}

TEST_F(Hub, EndsWhileOthersWaitAndHold) {
  make({.models_max = 1});
  run([&]() -> Task<void> {
    auto a = co_await get("a");
    auto b = start("b"), c = start("c"), none = start("none");
    co_await sleep(10ms);
    models_ = nullptr;
    hub_.reset();
    co_await until([&] { return b->has_value() && c->has_value() && none->has_value(); });
    EXPECT_EQ((*b)->error().code, Code::kCancelled);
    EXPECT_EQ((*c)->error().code, Code::kCancelled);
    EXPECT_EQ((*a)->weight_bytes, 10 * kMiB) << "a lease may outlive the hub";
  });
}

TEST_F(Hub, EndsInTheMiddleOfALoad) {
  make({});
  models_->held = true;
  auto a = start("a"), b = start("b");
  run([&]() -> Task<void> { co_await sleep(10ms); });
  std::thread later([models = models_] {
    std::this_thread::sleep_for(20ms);
    models->held = false;
  });
  models_ = nullptr;
  hub_.reset();
  later.join();
  run([&]() -> Task<void> { co_await until([&] { return a->has_value() && b->has_value(); }); });
  EXPECT_EQ((*a)->error().code, Code::kCancelled);
}

TEST_F(Hub, CoroutinesThatAreDestroyedLeaveNothingBehind) {
  auto own = std::make_unique<asio::io_context>(1);
  auto models = std::make_unique<FakeModels>();
  FakeModels* fake = models.get();
  fake->put("a", {});
  fake->held = true;
  auto hub = std::make_unique<ModelHub>(*own, std::move(models), HubOptions{.memory_max = kMiB});
  auto wait = [&]() -> Task<void> { (void)co_await hub->acquire("a", {}); };
  for (int i = 0; i < 3; ++i) asio::co_spawn(*own, wait(), asio::detached);
  own->run_for(20ms);
  fake->held = false;
  hub.reset();
  own.reset();  // with the frames that never went on; the sanitizers watch
}

// Clients come and go while models are unloaded, replaced and evicted. A model in use must be in
// the engine.
TEST_F(Hub, UnloadDuringUseAThousandTimes) {
  make({.memory_max = 23 * kMiB, .keep_alive = {.seconds = 0.001}});
  run([&]() -> Task<void> {
    int running = 0, used = 0;
    auto client = [&](uint64_t seed) -> Task<void> {
      uint64_t count = 0;
      auto below = [&](uint32_t end) { return philox(seed, 0, count++)[0] % end; };
      for (int i = 0; i < 125; ++i) {
        const std::string name(1, static_cast<char>('a' + below(3)));
        auto lease = co_await get(name, below(2) ? 0.0 : 0.002);
        if (!lease) {
          ADD_FAILURE() << lease.error().message;
          continue;
        }
        EXPECT_TRUE(models_->has(**lease));
        (void)hub_->unload(name);
        if (below(8) == 0) hub_->forget(name);
        if (below(8) == 0) models_->put(name, {.digest = std::to_string(below(1000))});
        co_await asio::post(io_, asio::use_awaitable);
        EXPECT_TRUE(models_->has(**lease));
        if (below(4) == 0) co_await sleep(1ms);
        EXPECT_TRUE(models_->has(**lease));
        ++used;
      }
      --running;
    };
    for (uint64_t seed = 0; seed < 8; ++seed, ++running)
      asio::co_spawn(io_, client(seed), asio::detached);
    while (running > 0) co_await sleep(1ms);
    EXPECT_EQ(used, 1000);
    EXPECT_GT(models_->adds, 100) << "there was something to do";
    co_await until([&] { return models_->in_engine() == 0; });
  });
}

// Real files of a store, and an engine that does nothing.
class StoreModels final : public StoreBackend {
 public:
  using StoreBackend::StoreBackend;
  Result<uint64_t> add(LoadedModel&, const ServingModelOptions&) override { return 0; }
  void remove(const LoadedModel&) override {}
};

class HubOnStore : public Hub {
 protected:
  void make_store(bool allow_paths) {
    ASSERT_TRUE(create(store_.store(), "Tiny", from_ + "PARAMETER num_ctx 100\n").has_value());
    hub_ = std::make_unique<ModelHub>(
        io_, std::make_unique<StoreModels>(store_.store(), allow_paths),
        HubOptions{.allow_paths = allow_paths});
  }
  TemporaryStore store_;
  const std::string folder_ = HEARTH_TEST_DATA "/models/llama";
  const std::string from_ = "FROM " + folder_ + "\n";
};

TEST_F(HubOnStore, LoadsWhatTheStoreHas) {
  make_store(false);
  run([&]() -> Task<void> {
    auto tiny = co_await get("tiny");
    if (!tiny) {
      ADD_FAILURE() << tiny.error().message;
      co_return;
    }
    EXPECT_EQ((*tiny)->resolved.display_name, "Tiny:latest");
    EXPECT_EQ((*tiny)->context, 100) << "num_ctx";
    EXPECT_GT((*tiny)->weight_bytes, 10'000u);
    EXPECT_GT((*tiny)->load_time.count(), 0);
    EXPECT_NE((*tiny)->tokenizer, nullptr);
    auto same = co_await get("TINY:latest");
    EXPECT_EQ(same->model(), tiny->model());
    EXPECT_TRUE(create(store_.store(), "tiny", from_ + "TEMPLATE {{ .Prompt }}\n").has_value());
    auto other = co_await get("tiny");
    EXPECT_NE(other->model(), tiny->model());
    EXPECT_TRUE((*other)->chat.has_value());
    EXPECT_EQ((*other)->context, 256) << "the model's own";
    EXPECT_EQ((*tiny)->resolved.params["num_ctx"].as_int(), 100);
    for (std::string name : {folder_, folder_ + "/model.safetensors", std::string("./x.gguf")}) {
      auto path = co_await get(name);
      EXPECT_FALSE(path.has_value());
      EXPECT_NE(path.error().code, Code::kIo) << "nothing is told of files";
    }
  });
}

TEST_F(HubOnStore, RefusesWhatCannotRun) {
  make_store(false);
  const Store& store = store_.store();
  StoredModel stored = store.read(name_of("tiny")).value();
  {
    StoreWriter writer = store.begin_write().value();
    stored.manifest.layers.push_back(writer.put_text(media::kAdapter, "bytes").value());
    ASSERT_TRUE(writer.write_manifest(name_of("adapted"), stored.manifest).has_value());
    stored.manifest.layers.back() = writer.put_text(media::kTemplate, "{% if %}").value();
    ASSERT_TRUE(writer.write_manifest(name_of("broken"), stored.manifest).has_value());
  }
  run([&]() -> Task<void> {
    auto none = co_await get("nothing");
    EXPECT_EQ(none.error().code, Code::kNotFound);
    EXPECT_EQ(none.error().message, "model 'nothing:latest' not found");
    auto adapted = co_await get("adapted");
    EXPECT_EQ(adapted.error().code, Code::kUnsupported);
    auto broken = co_await get("broken");
    EXPECT_TRUE(broken.error().message.starts_with("the chat template of broken:latest: "))
        << broken.error().message;
  });
}

TEST_F(HubOnStore, PathsWhereTheyAreAllowed) {
  make_store(true);
  run([&]() -> Task<void> {
    auto by_path = co_await get(folder_ + "/");
    EXPECT_TRUE(by_path.has_value()) << by_path.error().message;
    auto again = co_await get(folder_ + "/");
    EXPECT_EQ(again->model(), by_path->model());
    EXPECT_EQ((co_await get("/no/such.gguf")).error().code, Code::kNotFound);
    EXPECT_TRUE((co_await get("tiny")).has_value());
  });
}

}  // namespace
}  // namespace hearth::server
