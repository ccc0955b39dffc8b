// ServingEngine: one thread that computes for everybody. Any number of models, each with its own
// cache and scheduler, share the team of threads; they take turns step by step. Commands come in,
// events go out; nobody waits for anybody.
//
//   ServingEngine engine({});
//   auto model = TRY(engine.add_model(weights, tokenizer, {.context = 8192}));
//   RequestId id = TRY(engine.submit(model, request, sink));   // events follow on the sink
//   engine.cancel(id);                                         // the last one is kDone: kCancelled
//
// All public functions may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/runner.h"
#include "engine/serving/request.h"

namespace hearth {

class ServingModel;  // a model of an engine; shared by who uses it

struct ServingOptions {
  int threads = 0;                   // 0: default_threads()
  const Kernels* kernels = nullptr;  // nullptr: default_kernels()
  double step_seconds = 0.060;       // what a step may take while somebody watches tokens come
};

struct ServingModelOptions {
  Precision precision = Precision::kHigh;
  KvType kv = KvType::kF16;
  int64_t context = 0;       // tokens of one sequence at most
  int64_t cache_tokens = 0;  // positions in the cache, of all sequences; at least one context
  int64_t window_tokens = 0;  // of them in layers with windows, one window at least; 0: all
  int64_t rows_max = 1024;   // sequences that are computed in one step
  int64_t queue_max = 512;   // requests that wait, beyond rows_max; 0: who cannot begin is refused
  int64_t prompt_rows = 512;  // of prompts in one step at most
  // After so long without requests the cache gives back the memory of what only prefixes keep.
  std::chrono::milliseconds idle_time = std::chrono::minutes(10);
};

// Counts since the model was added, and what is so now.
struct ServingStatus {
  int64_t running = 0, waiting = 0;          // requests
  int64_t cache_blocks = 0, cache_blocks_used = 0, cache_blocks_kept = 0;
  int64_t cache_blocks_pinned = 0;           // in use or kept
  int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  int64_t steps = 0, preemptions = 0, refused = 0;
  double tokens_per_second = 0;              // computed, of late; for advice when to come again
};

class ServingEngine {
 public:
  explicit ServingEngine(const ServingOptions& options);
  ~ServingEngine();  // its requests end with kCancelled

  // Makes what the model needs to run; may take seconds, during which others go on.
  Result<std::shared_ptr<ServingModel>> add_model(std::shared_ptr<const Model> model,
                                                  std::shared_ptr<const Tokenizer> tokenizer,
                                                  const ServingModelOptions& options);
  // Its requests end with kCancelled; returns when none of them runs any more.
  void remove_model(const std::shared_ptr<ServingModel>& model);

  // kInvalid, kTooLarge with the lengths, or kBusy when the queue is full: retry_after() says when
  // to come again. The sink lives until its last event.
  Result<RequestId> submit(const std::shared_ptr<ServingModel>& model, ServeRequest request,
                           std::shared_ptr<ServeSink> sink);
  // Takes effect within a step. Nothing for requests that have ended.
  void cancel(RequestId request);

  static ServingStatus status(const ServingModel& model);
  // Whole seconds, at least 1.
  static int retry_after(const ServingModel& model);
  // Bytes that the model's cache holds at this time, and may hold at most.
  static int64_t cache_bytes(const ServingModel& model);
  static int64_t cache_bytes_max(const ServingModel& model);

  int threads() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
