// App: what the handlers of the server share.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "api/ollama_store.h"
#include "engine/serving/engine.h"
#include "registry/store.h"
#include "server/event_bridge.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/model_hub.h"

namespace hearth::server {

struct AppOptions {
  ServerOptions http;
  HubOptions hub;
  ServingOptions engine;
  std::chrono::milliseconds drain{30'000};  // for answers that run when the server is told to stop
  std::chrono::seconds queue_time{120};     // that a request may wait for its turn
};

class App {
 public:
  static Result<std::unique_ptr<App>> create(AppOptions options, Store store);
  ~App();

  HttpServer& http() { return *http_; }
  ServingEngine& engine() { return *engine_; }
  ModelHub& hub() { return *hub_; }
  EventBridge& bridge() { return *bridge_; }
  Metrics& metrics() { return metrics_; }
  const Store& store() const { return store_; }
  api::TagsCache& tags() { return tags_; }
  // Preemptions of a model that the metrics have not been told yet; `now` counts all of them.
  int64_t new_preemptions(const std::string& model, int64_t now);
  // The metrics tell nothing more of a model that is gone.
  void forget_metrics(const std::string& model);
  const AppOptions& options() const { return options_; }

  // Serves until a signal (SIGINT, SIGTERM) has ended what runs; a second one ends it at once.
  void run();

 private:
  App(AppOptions options, Store store)
      : options_(std::move(options)), store_(std::move(store)), tags_(store_) {}

  AppOptions options_;
  Store store_;
  api::TagsCache tags_;
  Metrics metrics_;
  std::map<std::string, int64_t> preemptions_told_;  // by model
  // In the order in which they need each other; the last goes first.
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<EventBridge> bridge_;
  std::unique_ptr<ServingEngine> engine_;
  std::unique_ptr<ModelHub> hub_;
};

// The routes of the whole server (route_table.cc). Their handlers take an App as context.
std::span<const Route> route_table();

}  // namespace hearth::server
