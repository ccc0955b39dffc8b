// All state is changed on the server's thread. The loader's thread opens one model after the other,
// adds it to the engine, and takes out those that have to go, in the order in which that was
// decided: room that was given up is there when the next model is added. Another thread looks names
// up, so that a name that does not exist waits for no load.
//
//   acquire -> look_up -> place -> grant                                the model is there
//                              -> Load: queued -> opening -> needs room -> adding -> grant
#include "server/model_hub.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <deque>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/out_of_memory.h"
#include "server/hub_backend.h"
#include "server/model_memory.h"

namespace hearth::server {
namespace {

using Clock = std::chrono::steady_clock;

// A model in memory.
struct Entry {
  FoundModel found;
  std::shared_ptr<const LoadedModel> loaded;
  uint64_t bytes = 0;
  int64_t leases = 0;
  api::KeepAlive keep;
  uint64_t used = 0;      // the hub's count of leases when the last one began
  bool stale = false;     // replaced in the store: no new leases, goes when idle
  bool draining = false;  // a load needs its room: no new leases until then
  std::optional<Clock::time_point> expires;  // while idle; nothing: never
};

constexpr double kForeverSeconds = 1e9;

bool forever(const api::KeepAlive& keep) { return keep.forever || keep.seconds > kForeverSeconds; }

// Less than nothing, and what is no number, is nothing.
std::chrono::nanoseconds time_of(const api::KeepAlive& keep) {
  const double seconds = keep.seconds > 0 ? std::min(keep.seconds, kForeverSeconds) : 0;
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

// The same files, for another life in the engine.
std::shared_ptr<LoadedModel> opened_again(const LoadedModel& model) {
  auto out = std::make_shared<LoadedModel>(model);
  out->serving = nullptr;
  out->load_time = {};
  return out;
}

bool long_enough(const Entry& entry, bool longest) {
  return !longest || entry.loaded->context == entry.loaded->context_most;
}

std::unexpected<Error> stopping() { return fail(Code::kCancelled, "the server is stopping"); }

}  // namespace

uint64_t default_memory() {
  auto bytes = memory_for_us();
  if (bytes) return *bytes / 5 * 4;
  log(LogLevel::kWarn, "models may take any memory: {}", bytes.error().message);
  return UINT64_MAX;
}

struct ModelHub::Impl : std::enable_shared_from_this<Impl> {
  enum class Phase : uint8_t { kQueued, kOpening, kNeedsRoom, kAdding };
  struct Waiter;

  // A model on its way into memory. What the loader's thread writes is read after its report.
  struct Load {
    FoundModel found;
    std::vector<std::weak_ptr<Waiter>> waiters;
    Phase phase = Phase::kQueued;
    bool stale = false, unload = false;  // what was asked of the model meanwhile
    bool longest = false;                // for a context of all that fits
    Result<std::shared_ptr<LoadedModel>> opened = nullptr;
    uint64_t least_bytes = 0;  // of the weights and the smallest cache
    ServingModelOptions serving;
    Result<uint64_t> cache_bytes = 0;  // what adding returned
    bool added = false;
    bool waited_for() const {
      return std::ranges::any_of(waiters, [](auto& waiter) { return !waiter.expired(); });
    }
  };
  using LoadPtr = std::shared_ptr<Load>;
  using EntryPtr = std::shared_ptr<Entry>;

  // A call of acquire() that has no lease yet. Lives in its coroutine, and goes with it.
  struct Waiter {
    Waiter(Impl& impl, std::string model, std::optional<api::KeepAlive> time, bool whole)
        : hub(impl.shared_from_this()), name(std::move(model)), keep(time), longest(whole),
          wake(impl.io) {
      wake.expires_at(Clock::time_point::max());
      hub->waiting.insert(this);
    }
    ~Waiter();
    void answer_with(Result<Lease> result) {
      answer.emplace(std::move(result));
      load.reset();
      wake.cancel();
    }
    std::shared_ptr<Impl> hub;
    std::string name;
    std::optional<api::KeepAlive> keep;
    bool longest;
    asio::steady_timer wake;  // never runs out: its cancellation says that there is an answer
    LoadPtr load;             // whose end gives the answer
    std::optional<Result<Lease>> answer;
  };
  using WaiterPtr = std::shared_ptr<Waiter>;

  // Its end is that of a lease.
  struct Use {
    std::shared_ptr<Impl> hub;
    EntryPtr entry;
    ~Use() { hub->release(entry); }
  };

  Impl(asio::io_context& server, std::unique_ptr<HubBackend> models, const HubOptions& given)
      : io(server), options(given), backend(std::move(models)), reaper(server) {
    if (options.memory_max == 0) options.memory_max = default_memory();
  }
  void stop();

  // An answer for a waiter.
  static Task<Result<Lease>> acquire(std::shared_ptr<Impl> self, std::string name,
                                     std::optional<api::KeepAlive> keep, bool longest);
  void ask(const WaiterPtr& waiter);
  void look_up(const WaiterPtr& waiter, const std::string& key);
  void place(const WaiterPtr& waiter, FoundModel found);
  void grant(Waiter& waiter, const EntryPtr& entry, bool loaded);
  void release(const EntryPtr& entry);

  // The queue of loads, of which the first is worked on.
  void start_next();
  template <class Work>
  void run_on_loader(const LoadPtr& load, Work work, void (Impl::*report)(const LoadPtr&));
  void on_opened(const LoadPtr& load);
  Result<void> plan(Load& load) const;
  void make_room();
  void add(const LoadPtr& load);
  void on_added(const LoadPtr& load);
  LoadPtr pop_first();
  void fail_first(const Error& error);

  // Who stays.
  EntryPtr usable(const std::string& key) const;
  void retire(const std::string& key);
  uint64_t resident_bytes() const;
  bool evict_one();
  void drain_for(uint64_t bytes);
  void idle(const EntryPtr& entry);
  void let_go(EntryPtr entry);
  void arm();
  void reap();

  asio::io_context& io;
  HubOptions options;
  std::unique_ptr<HubBackend> backend;
  std::vector<EntryPtr> resident;
  std::deque<LoadPtr> loads;
  std::unordered_set<Waiter*> waiting;
  std::optional<asio::steady_timer> reaper;  // runs out with the first idle model
  uint64_t uses = 0;
  std::atomic<bool> closed = false;  // written on the server's thread
  asio::thread_pool loader{1}, lookups{1};
};

// ---- answers

Task<Result<ModelHub::Lease>> ModelHub::Impl::acquire(std::shared_ptr<Impl> self, std::string name,
                                                      std::optional<api::KeepAlive> keep,
                                                      bool longest) {
  auto waiter = std::make_shared<Waiter>(*self, std::move(name), keep, longest);
  self->ask(waiter);
  if (!waiter->answer) co_await waiter->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!waiter->answer) co_return fail(Code::kCancelled, "nobody waits for the model any more");
  co_return std::move(*waiter->answer);
}

ModelHub::Impl::Waiter::~Waiter() {
  hub->waiting.erase(this);
  // A load that waits for room, perhaps for long, ends with its last waiter; one that is under way
  // does not, and one that has not begun is dropped when its turn comes.
  if (load == nullptr || hub->closed || load->phase != Phase::kNeedsRoom) return;
  hub->make_room();
}

void ModelHub::Impl::ask(const WaiterPtr& waiter) {
  if (closed) return waiter->answer_with(stopping());
  auto key = model_key(waiter->name, options.allow_paths);
  if (!key) return waiter->answer_with(std::unexpected(key.error()));
  if (EntryPtr entry = usable(*key);
      entry != nullptr && long_enough(*entry, waiter->longest) && backend->still(entry->found))
    return grant(*waiter, entry, false);
  look_up(waiter, *key);
}

void ModelHub::Impl::look_up(const WaiterPtr& waiter, const std::string& key) {
  // The pool is joined before the hub goes, so that it needs no reference here, and must have none:
  // the last one would join the pool from within.
  auto work = [this, key, name = waiter->name, weak = std::weak_ptr(waiter)] {
    if (closed || weak.expired()) return;
    auto found = catching_bad_alloc([&] { return backend->find(name); });
    asio::post(io, [weak, key, found = std::move(found)]() mutable {
      WaiterPtr waiter = weak.lock();
      if (waiter == nullptr || waiter->answer) return;
      if (found) return waiter->hub->place(waiter, std::move(*found));
      if (found.error().code == Code::kNotFound) waiter->hub->retire(key);
      waiter->answer_with(std::unexpected(std::move(found.error())));
    });
  };
  asio::post(lookups, std::move(work));
}

void ModelHub::Impl::place(const WaiterPtr& waiter, FoundModel found) {
  EntryPtr entry = usable(found.key);
  if (entry != nullptr && entry->found.digest != found.digest) {
    retire(found.key);
    entry = nullptr;
  }
  if (entry != nullptr && long_enough(*entry, waiter->longest)) {
    entry->found = std::move(found);
    return grant(*waiter, entry, false);
  }
  auto load = std::ranges::find_if(loads, [&](const LoadPtr& one) {
    return !one->stale && one->found.key == found.key && one->found.digest == found.digest &&
           (one->longest || !waiter->longest);
  });
  if (load == loads.end()) {
    loads.push_back(std::make_shared<Load>());
    loads.back()->found = std::move(found);
    loads.back()->longest = waiter->longest;
    // What was read of its file serves for the longer context too.
    if (entry != nullptr) loads.back()->opened = opened_again(*entry->loaded);
    load = loads.end() - 1;
  }
  waiter->load = *load;
  (*load)->waiters.push_back(waiter);
  start_next();
}

void ModelHub::Impl::grant(Waiter& waiter, const EntryPtr& entry, bool loaded) {
  if (waiter.keep) entry->keep = *waiter.keep;
  entry->used = ++uses;
  entry->expires.reset();
  Lease lease;
  lease.use_ = std::shared_ptr<Use>(new Use{shared_from_this(), entry});
  ++entry->leases;
  lease.model_ = entry->loaded;
  lease.loaded_ = loaded;
  waiter.answer_with(std::move(lease));
}

void ModelHub::Impl::release(const EntryPtr& entry) {
  CHECK(entry->leases > 0);
  if (--entry->leases > 0 || closed) return;
  idle(entry);
  make_room();
}

// ---- loads

void ModelHub::Impl::start_next() {
  while (!loads.empty() && loads.front()->phase == Phase::kQueued) {
    LoadPtr load = loads.front();
    EntryPtr entry = usable(load->found.key);
    const bool there = entry != nullptr && entry->found.digest == load->found.digest &&
                       long_enough(*entry, load->longest);
    if (load->waited_for() && !there) {
      load->phase = Phase::kOpening;
      auto open = [](HubBackend& models, Load& it) {
        const auto start = Clock::now();
        if (it.opened && *it.opened != nullptr) return;
        it.opened = catching_bad_alloc([&] { return models.open(it.found); });
        if (it.opened) (*it.opened)->load_time = Clock::now() - start;
      };
      return run_on_loader(load, open, &Impl::on_opened);
    }
    // Nobody waits for it any more, or the model was to go and stayed.
    pop_first();
    for (auto& weak : load->waiters)
      if (WaiterPtr waiter = weak.lock()) grant(*waiter, entry, false);
  }
}

template <class Work>
void ModelHub::Impl::run_on_loader(const LoadPtr& load, Work work,
                                   void (Impl::*report)(const LoadPtr&)) {
  asio::post(loader, [this, load, work, report] {
    if (closed) return;
    work(*backend, *load);
    asio::post(io, [weak = weak_from_this(), load, report] {
      std::shared_ptr<Impl> self = weak.lock();
      if (self != nullptr && !self->closed) ((*self).*report)(load);
    });
  });
}

void ModelHub::Impl::on_opened(const LoadPtr& load) {
  if (!load->opened) return fail_first(load->opened.error());
  if (auto planned = plan(*load); !planned) return fail_first(planned.error());
  load->phase = Phase::kNeedsRoom;
  make_room();
}

Result<void> ModelHub::Impl::plan(Load& load) const {
  LoadedModel& model = **load.opened;
  const KvType kv = options.kv.value_or(default_kv_type(options.precision));
  ModelNeeds needs{.name = model.resolved.display_name,
                   .weight_bytes = model.weight_bytes,
                   .context = model.model->config.context,
                   .cache = CacheCost(model.model->program, kv)};
  const Json& num_ctx = model.resolved.params["num_ctx"];
  const int64_t own = num_ctx.is_int() ? num_ctx.as_int() : 0;
  for (int64_t cap : {own, options.context})
    if (cap > 0) needs.context = std::min(needs.context, cap);
  const bool asked = own > 0 || options.context > 0;
  model.context = model.context_most = TRY(fit_context(needs, options.memory_max));
  if (!load.longest && !asked)
    model.context = shared_context(needs.cache, model.context, options.memory_max);
  load.least_bytes = needs.weight_bytes + needs.cache.sequence(model.context);
  load.serving = {.precision = options.precision, .kv = kv, .context = model.context};
  return {};
}

// The first load goes on when there is room for it: idle models go, the least recently used first;
// where they are not enough, those in use get no new leases until the load had its turn.
void ModelHub::Impl::make_room() {
  if (loads.empty() || loads.front()->phase != Phase::kNeedsRoom) return;
  LoadPtr load = loads.front();
  auto fits = [&] {
    const uint64_t taken = std::min(options.memory_max, resident_bytes());
    return load->least_bytes <= options.memory_max - taken &&
           (options.models_max <= 0 || std::ssize(resident) < options.models_max);
  };
  const bool wanted = load->waited_for();
  // What this load replaces goes before others do.
  if (EntryPtr shorter = usable(load->found.key);
      wanted && !fits() && shorter != nullptr && shorter->leases == 0)
    let_go(shorter);
  while (wanted && !fits() && evict_one()) {}
  if (wanted && !fits()) return drain_for(load->least_bytes);
  for (const EntryPtr& entry : resident) entry->draining = false;
  if (wanted) return add(load);
  pop_first();
  start_next();
}

void ModelHub::Impl::add(const LoadPtr& load) {
  load->phase = Phase::kAdding;
  LoadedModel& model = **load->opened;
  const uint64_t room = options.memory_max - resident_bytes() - model.weight_bytes;
  load->serving.queue_max = options.queue_max;
  load->serving.rows_max = options.rows_max;
  const CachePlan cache = plan_cache(CacheCost(model.model->program, load->serving.kv),
                                     model.context, room, options.memory_max);
  load->serving.cache_tokens = cache.tokens;
  load->serving.window_tokens = cache.window_tokens;
  auto work = [](HubBackend& models, Load& it) {
    const auto start = Clock::now();
    it.cache_bytes = catching_bad_alloc([&] { return models.add(**it.opened, it.serving); });
    it.added = it.cache_bytes.has_value();
    (*it.opened)->load_time += Clock::now() - start;
  };
  run_on_loader(load, work, &Impl::on_added);
}

void ModelHub::Impl::on_added(const LoadPtr& load) {
  if (!load->added) return fail_first(load->cache_bytes.error());
  auto entry = std::make_shared<Entry>();
  entry->found = load->found;
  entry->loaded = std::move(*load->opened);
  entry->bytes = entry->loaded->weight_bytes + *load->cache_bytes;
  entry->keep = options.keep_alive;
  entry->used = ++uses;
  entry->stale = load->stale;
  retire(entry->found.key);  // one that was replaced while this one was on its way
  resident.push_back(entry);
  pop_first();
  for (auto& weak : load->waiters)
    if (WaiterPtr waiter = weak.lock()) grant(*waiter, entry, true);
  if (load->unload) entry->keep = {.seconds = 0};
  if (entry->leases == 0) idle(entry);
  start_next();
}

ModelHub::Impl::LoadPtr ModelHub::Impl::pop_first() {
  LoadPtr load = loads.front();
  loads.pop_front();
  return load;
}

void ModelHub::Impl::fail_first(const Error& error) {
  const Error copy = error;
  LoadPtr load = pop_first();
  for (auto& weak : load->waiters)
    if (WaiterPtr waiter = weak.lock()) waiter->answer_with(std::unexpected(copy));
  start_next();
}

// ---- who stays

// The one to which new requests go.
ModelHub::Impl::EntryPtr ModelHub::Impl::usable(const std::string& key) const {
  auto it = std::ranges::find_if(resident, [&](const EntryPtr& entry) {
    return entry->found.key == key && !entry->stale && !entry->draining;
  });
  return it != resident.end() ? *it : nullptr;
}

// What is loaded under this key gets no new leases, and goes when idle.
void ModelHub::Impl::retire(const std::string& key) {
  const std::vector<EntryPtr> all = resident;
  for (const EntryPtr& entry : all) {
    if (entry->found.key != key) continue;
    entry->stale = true;
    if (entry->leases == 0) let_go(entry);
  }
}

uint64_t ModelHub::Impl::resident_bytes() const {
  uint64_t bytes = 0;
  for (const EntryPtr& entry : resident) bytes += entry->bytes;
  return bytes;
}

bool ModelHub::Impl::evict_one() {
  EntryPtr oldest;
  for (const EntryPtr& entry : resident)
    if (entry->leases == 0 && (oldest == nullptr || entry->used < oldest->used)) oldest = entry;
  if (oldest != nullptr) let_go(oldest);
  return oldest != nullptr;
}

// All that are there are in use. Those that go anyway come first, then the least recently used.
void ModelHub::Impl::drain_for(uint64_t bytes) {
  std::vector<EntryPtr> order = resident;
  std::ranges::sort(order, {}, [](const EntryPtr& entry) {
    return std::pair(!entry->stale, entry->used);
  });
  uint64_t left = resident_bytes();
  int64_t count = std::ssize(resident);
  for (const EntryPtr& entry : order) {
    const bool enough = left <= options.memory_max && bytes <= options.memory_max - left &&
                        (options.models_max <= 0 || count < options.models_max);
    entry->draining = !enough;
    if (enough) continue;
    left -= entry->bytes;
    --count;
  }
}

void ModelHub::Impl::idle(const EntryPtr& entry) {
  entry->expires.reset();
  if (entry->stale || (!forever(entry->keep) && time_of(entry->keep).count() == 0))
    return let_go(entry);
  if (!forever(entry->keep)) entry->expires = Clock::now() + time_of(entry->keep);
  arm();
}

void ModelHub::Impl::let_go(EntryPtr entry) {
  CHECK(entry->leases == 0);
  std::erase(resident, entry);
  // The memory is given back there too, which takes its time.
  asio::post(loader, [this, entry = std::move(entry)] { backend->remove(*entry->loaded); });
}

void ModelHub::Impl::arm() {
  std::optional<Clock::time_point> first;
  for (const EntryPtr& entry : resident)
    if (entry->expires) first = std::min(first.value_or(*entry->expires), *entry->expires);
  if (!first) return;
  reaper->expires_at(*first);
  reaper->async_wait([weak = weak_from_this()](boost::system::error_code error) {
    std::shared_ptr<Impl> self = weak.lock();
    if (!error && self != nullptr && !self->closed) self->reap();
  });
}

void ModelHub::Impl::reap() {
  const auto now = Clock::now();
  const std::vector<EntryPtr> all = resident;
  for (const EntryPtr& entry : all)
    if (entry->expires && *entry->expires <= now) let_go(entry);
  arm();
}

void ModelHub::Impl::stop() {
  closed = true;
  reaper.reset();
  const std::vector<Waiter*> all(waiting.begin(), waiting.end());
  for (Waiter* waiter : all)
    if (!waiter->answer) waiter->answer_with(stopping());
  lookups.join();
  loader.join();  // with all that was to go
  for (const LoadPtr& load : loads)
    if (load->added) backend->remove(**load->opened);
  for (const EntryPtr& entry : resident) backend->remove(*entry->loaded);
  loads.clear();
  resident.clear();
}

// ---- the hub

ModelHub::ModelHub(asio::io_context& io, std::unique_ptr<HubBackend> backend,
                   const HubOptions& options)
    : impl_(std::make_shared<Impl>(io, std::move(backend), options)) {}

ModelHub::~ModelHub() { impl_->stop(); }

Task<Result<ModelHub::Lease>> ModelHub::acquire(std::string name,
                                                std::optional<api::KeepAlive> keep_alive,
                                                bool longest) {
  return Impl::acquire(impl_, std::move(name), keep_alive, longest);
}

Result<void> ModelHub::unload(const std::string& name) {
  const std::string key = TRY(model_key(name, impl_->options.allow_paths));
  bool known = false;
  const auto all = impl_->resident;
  for (const auto& entry : all) {
    if (entry->found.key != key || entry->stale) continue;
    known = true;
    entry->keep = {.seconds = 0};
    if (entry->leases == 0) impl_->let_go(entry);
  }
  for (const auto& load : impl_->loads) {
    if (load->found.key == key) known = load->unload = true;
  }
  if (!known) return fail(Code::kNotFound, "model '{}' is not loaded", name);
  return {};
}

std::vector<RunningModel> ModelHub::running() const {
  const auto now = Clock::now();
  const auto wall = std::chrono::system_clock::now();
  std::vector<RunningModel> out;
  for (const auto& entry : impl_->resident) {
    if (entry->stale) continue;
    RunningModel& row = out.emplace_back(
        RunningModel{.loaded = entry->loaded, .leases = entry->leases, .bytes = entry->bytes});
    if (forever(entry->keep)) continue;
    const auto left = entry->expires ? *entry->expires - now : time_of(entry->keep);
    row.expires = wall + std::chrono::duration_cast<std::chrono::system_clock::duration>(left);
  }
  std::ranges::stable_sort(out, [](const RunningModel& a, const RunningModel& b) {
    if (!a.expires || !b.expires) return !a.expires && b.expires;
    return *a.expires > *b.expires;
  });
  return out;
}

void ModelHub::forget(const std::string& name) {
  auto key = model_key(name, impl_->options.allow_paths);
  if (!key) return;
  impl_->retire(*key);
  for (const auto& load : impl_->loads) {
    if (load->found.key != *key) continue;
    load->stale = true;
    if (load->phase != Impl::Phase::kQueued) continue;
    // Not begun: who waits for it asks again what the name stands for.
    for (auto& weak : std::exchange(load->waiters, {})) {
      auto waiter = weak.lock();
      if (waiter == nullptr) continue;
      waiter->load.reset();
      impl_->look_up(waiter, *key);
    }
  }
}

}  // namespace hearth::server
