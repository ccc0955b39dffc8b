#include "engine/serving/engine.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/serving/serving_model.h"

namespace hearth {
namespace {

// What the engine's thread is told. Commands form a stack that anybody pushes onto and that the
// thread takes as a whole: no locks, and the order is that of the pushes once it is turned round.
struct Command {
  enum class Kind : uint8_t { kSubmit, kCancel, kAddModel, kRemoveModel, kStop };
  Kind kind = Kind::kStop;
  Command* next = nullptr;
  std::shared_ptr<ServingModel> model;
  std::unique_ptr<Job> job;
  RequestId request = 0;
  std::atomic<bool>* done = nullptr;  // set, and notified, when it has been done
};

constexpr int64_t kMostCheckedBlocks = 20000;  // caches beyond are not checked between requests

}  // namespace

struct ServingEngine::Impl {
  ServingOptions options;
  std::shared_ptr<ThreadPool> pool;
  std::atomic<RequestId> last_id{0};
  std::atomic<Command*> commands{nullptr};
  std::atomic<uint32_t> rings{0};     // changes with each command, for who sleeps
  StepWatch watch;
  std::atomic<bool> sleeping{false};
  std::mutex mutex;                   // for sleeping only
  std::condition_variable wake;
  std::thread thread;

  // The thread's own.
  std::vector<std::shared_ptr<ServingModel>> models;
  bool stop = false;

  void push(std::unique_ptr<Command> command);
  void obey(Command& command);
  void obey_all();
  bool step_all();
  void sleep(uint32_t seen);
  void run();
};

void ServingEngine::Impl::push(std::unique_ptr<Command> command) {
  Command* raw = command.release();
  raw->next = commands.load(std::memory_order_relaxed);
  while (!commands.compare_exchange_weak(raw->next, raw, std::memory_order_release,
                                         std::memory_order_relaxed)) {
  }
  rings.fetch_add(1);
  if (sleeping.load()) {
    std::lock_guard lock(mutex);
    wake.notify_one();
  }
}

void ServingEngine::Impl::obey(Command& command) {
  switch (command.kind) {
    case Command::Kind::kSubmit: command.model->add(std::move(command.job)); break;
    case Command::Kind::kCancel:
      for (const auto& model : models) model->cancel(command.request);
      break;
    case Command::Kind::kAddModel: models.push_back(command.model); break;
    case Command::Kind::kRemoveModel:
      command.model->cancel_all();
      std::erase(models, command.model);
      break;
    case Command::Kind::kStop:
      for (const auto& model : models) model->cancel_all();
      stop = true;
      break;
  }
  if (command.done != nullptr) {
    command.done->store(true);
    command.done->notify_all();
  }
}

void ServingEngine::Impl::obey_all() {
  Command* taken = commands.exchange(nullptr, std::memory_order_acquire);
  Command* in_order = nullptr;
  while (taken != nullptr) {
    Command* next = taken->next;
    taken->next = in_order;
    in_order = taken;
    taken = next;
  }
  while (in_order != nullptr) {
    std::unique_ptr<Command> command(in_order);
    in_order = command->next;
    obey(*command);
  }
}

// A step of each model that has work: they share the time that one step may take.
bool ServingEngine::Impl::step_all() {
  const auto busy = std::ranges::count_if(models, [](const auto& m) { return m->has_work(); });
  bool any = false;
  for (size_t i = 0; i < models.size(); ++i) {
    ServingModel& model = *models[i];
    if (!model.has_work()) {
      model.tend(Job::Clock::now());
      continue;
    }
    any = model.step(options.step_seconds / static_cast<double>(busy), Job::Clock::now(), watch) ||
          any;
  }
  return any;
}

void ServingEngine::Impl::sleep(uint32_t seen) {
  auto until = Job::Clock::time_point::max();
  for (const auto& model : models) until = std::min(until, model->next_deadline());
  std::unique_lock lock(mutex);
  sleeping.store(true);
  auto rang = [&] { return rings.load() != seen; };
  if (until == Job::Clock::time_point::max()) wake.wait(lock, rang);
  else wake.wait_until(lock, until, rang);
  sleeping.store(false);
}

void ServingEngine::Impl::run() {
  bool worked = false;
  while (!stop) {
    const uint32_t seen = rings.load();
    obey_all();
    if (stop) break;
    if (step_all()) {
      worked = true;
      continue;
    }
    if (worked && commands.load() == nullptr)
      for (const auto& model : models)
        if (model->cache().blocks_made() <= kMostCheckedBlocks)
          model->check_integrity();
    worked = false;
    sleep(seen);
  }
}

ServingEngine::ServingEngine(const ServingOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  impl_->pool = std::make_shared<ThreadPool>(options.threads > 0 ? options.threads
                                                                 : default_threads());
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

ServingEngine::~ServingEngine() {
  impl_->push(std::make_unique<Command>(Command{.kind = Command::Kind::kStop}));
  impl_->thread.join();
  impl_->obey_all();  // who came too late is told nothing more
}

Result<std::shared_ptr<ServingModel>> ServingEngine::add_model(
    std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer,
    const ServingModelOptions& options) {
  auto made = TRY(ServingModel::create(std::move(model), std::move(tokenizer), options,
                                       impl_->pool, impl_->options.kernels));
  impl_->push(std::make_unique<Command>(
      Command{.kind = Command::Kind::kAddModel, .model = made}));
  return made;
}

void ServingEngine::remove_model(const std::shared_ptr<ServingModel>& model) {
  std::atomic<bool> done{false};
  impl_->push(std::make_unique<Command>(
      Command{.kind = Command::Kind::kRemoveModel, .model = model, .done = &done}));
  done.wait(false);
}

Result<RequestId> ServingEngine::submit(const std::shared_ptr<ServingModel>& model,
                                        ServeRequest request, std::shared_ptr<ServeSink> sink) {
  auto job = TRY(model->prepare(std::move(request), std::move(sink)));
  const RequestId id = impl_->last_id.fetch_add(1) + 1;
  const uint64_t tenant = job->request.tenant;
  job->id = id;
  impl_->push(std::make_unique<Command>(
      Command{.kind = Command::Kind::kSubmit, .model = model, .job = std::move(job)}));
  if (model->is_new(tenant)) impl_->watch.newcomer(*model, Job::Clock::now());
  return id;
}

void ServingEngine::cancel(RequestId request) {
  impl_->push(std::make_unique<Command>(
      Command{.kind = Command::Kind::kCancel, .request = request}));
  impl_->watch.cancelled(request);
}

ServingStatus ServingEngine::status(const ServingModel& model) { return model.status(); }

int ServingEngine::retry_after(const ServingModel& model) {
  return static_cast<int>(std::clamp(model.expected_wait(), 1.0, 600.0));
}

int64_t ServingEngine::cache_bytes(const ServingModel& model) { return model.cache_bytes(false); }
int64_t ServingEngine::cache_bytes_max(const ServingModel& model) {
  return model.cache_bytes(true);
}

int ServingEngine::threads() const { return impl_->pool->threads(); }

}  // namespace hearth
