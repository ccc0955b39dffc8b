// Metrics: what the server counts, as Prometheus reads it. Names are vLLM's where the meaning is
// the same, so that dashboards made for it work; what is only ours begins with "hearth:". Any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::server {

// Rows of kRows (metrics.cc). All but those of HTTP are told per model.
enum class Metric : uint8_t {
  // Gauges: set().
  kRequestsRunning,
  kRequestsWaiting,
  kCacheUsage,  // 0 to 1
  kCachePinned,  // blocks
  kConnections,
  // Counters: add().
  kPromptTokens,
  kCachedTokens,
  kGeneratedTokens,
  kPreemptions,
  kRequestsDone,  // by finished_reason: "stop", "length", "abort", "error"
  kHttpRequests,  // by the status of the answer
  kStreamsDropped,  // because their reader was too slow
  // Histograms of seconds: observe().
  kFirstToken,
  kBetweenTokens,
  kRequestTime,
  kHttpTime,
};

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // `model` is empty for those of HTTP. `label` is the second word of those that have one. Models
  // come from the store, statuses and reasons from tables: their number is bounded.
  void set(Metric gauge, std::string_view model, double value);
  void add(Metric counter, std::string_view model, double count, std::string_view label = {});
  void observe(Metric histogram, std::string_view model, double seconds);
  // Those of which anything is told.
  std::vector<std::string> models() const;
  // What is told of a model is no longer told.
  void forget(std::string_view model);
  // The gauges of all models are told no more until they are set again.
  void clear_gauges();

  // Prometheus' text format, version 0.0.4.
  std::string render() const;
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::server
