// ModelHub: which models are in memory. A request takes a lease on a model by name; what is not
// there is loaded on a thread of its own, while other models go on. A model whose last lease is
// gone stays for its keep-alive; where a load needs the room, idle models go earlier, the least
// recently used first.
//
// On the server's one thread, but for what it says otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/native.h"
#include "engine/serving/engine.h"
#include "model/chat.h"
#include "model/model.h"
#include "registry/resolve.h"
#include "server/http.h"

namespace hearth::server {

// What requests of a loaded model share. Immutable, but for what the engine keeps.
struct LoadedModel {
  ResolvedModel resolved;
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<ChatFormat> chat;  // the store's template, else the file's
  std::shared_ptr<ServingModel> serving;
  int64_t context = 0;       // tokens
  int64_t context_most = 0;  // what it could be if other models made way
  uint64_t weight_bytes = 0;
  std::chrono::nanoseconds load_time{0};
};

struct HubOptions {
  Precision precision = Precision::kHigh;
  std::optional<KvType> kv;        // nothing: default_kv_type(precision)
  int64_t context = 0;             // a cap for every model; 0: none
  uint64_t memory_max = 0;         // bytes of weights and caches together; 0: most of what is free
  int64_t rows_max = 1024;         // answers of a model that are generated at once
  int64_t queue_max = 512;         // requests of a model that wait; more are refused
  int64_t models_max = 0;          // 0: as many as fit
  api::KeepAlive keep_alive;       // where a request says nothing
  bool allow_paths = false;        // names may be paths of files; not for clients of a server
};

struct RunningModel {  // for `ps`
  std::shared_ptr<const LoadedModel> loaded;
  int64_t leases = 0;
  std::optional<std::chrono::system_clock::time_point> expires;  // nothing: never
  uint64_t bytes = 0;              // weights and cache
};

// What memory_max is where it is 0: four fifths of what this process may hold.
uint64_t default_memory();

class HubBackend;  // hub_backend.h

class ModelHub {
 public:
  // A use of a model. While one lives the model stays. It ends on the server's thread, and may
  // outlive the hub.
  class Lease;

  ModelHub(asio::io_context& io, ServingEngine& engine, const HubOptions& options);
  ModelHub(asio::io_context& io, std::unique_ptr<HubBackend> backend, const HubOptions& options);
  // Waits for the load that is going on and takes all models from the engine. Who still waits for
  // a model gets kCancelled. Goes before `io` and `engine`.
  ~ModelHub();

  // Waits for the model's load where it must, and while all the memory is in use for a lease to
  // end. kNotFound, kTooLarge where it can't fit, or what the load said; kCancelled when this
  // coroutine is cancelled, which leaves the load to the others. `keep_alive` replaces the model's
  // when given. `longest`: with all of its context_most, for which other models may have to go.
  Task<Result<Lease>> acquire(std::string name, std::optional<api::KeepAlive> keep_alive,
                              bool longest = false);
  // Goes once its leases are gone, unless a later one asks to keep it. kNotFound when it is neither
  // loaded nor about to be.
  Result<void> unload(const std::string& name);
  // What requests can be given at once, the longest expiry first; that of a model in use is what it
  // would be if it were idle from now on.
  std::vector<RunningModel> running() const;
  // After a model of the store was replaced or removed: what is loaded of it goes when idle, and
  // the next request loads anew.
  void forget(const std::string& name);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class ModelHub::Lease {
 public:
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) noexcept = default;
  const LoadedModel& operator*() const { return *model_; }
  const LoadedModel* operator->() const { return model_.get(); }
  const std::shared_ptr<const LoadedModel>& model() const { return model_; }
  bool was_loaded() const { return loaded_; }  // this lease waited for a load

 private:
  friend class ModelHub;
  Lease() = default;
  std::shared_ptr<void> use_;  // its end is the lease's end, after that of model_
  std::shared_ptr<const LoadedModel> model_;
  bool loaded_ = false;
};

}  // namespace hearth::server
