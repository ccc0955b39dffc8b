#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/check.h"

namespace hearth::server {
namespace {

enum class Kind : uint8_t { kGauge, kCounter, kHistogram };

struct Row {
  Metric metric;
  Kind kind;
  const char* name;
  const char* text;
  const char* label = nullptr;  // the name of the second label
  bool per_model = true;
  // Upper bounds of the buckets: so many of the table of seconds below, from the first one on.
  size_t first = 0, last = 0;
};

// vLLM's buckets for requests reach from 0.3 s on; short answers of small models need finer ones.
constexpr double kSeconds[] = {0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15,
                               0.25,  0.5,    0.75,  1,    1.5,  2.5,  5,    7.5,  10,  20,
                               40,    80,     160,   320,  640};
constexpr size_t kAll = std::size(kSeconds);

constexpr Row kRows[] = {
    {Metric::kRequestsRunning, Kind::kGauge, "vllm:num_requests_running", "Requests that run now"},
    {Metric::kRequestsWaiting, Kind::kGauge, "vllm:num_requests_waiting", "Requests that wait"},
    {Metric::kCacheUsage, Kind::kGauge, "vllm:kv_cache_usage_perc",
     "Share of the KV cache that is used, 1 is all of it"},
    {Metric::kCachePinned, Kind::kGauge, "hearth:kv_cache_pinned_blocks",
     "Blocks of the KV cache that stay because requests pinned their prompts"},
    {Metric::kConnections, Kind::kGauge, "hearth:http_connections", "Open connections", nullptr,
     false},
    {Metric::kPromptTokens, Kind::kCounter, "vllm:prompt_tokens_total",
     "Tokens of prompts, those found in the cache among them"},
    {Metric::kCachedTokens, Kind::kCounter, "vllm:prefix_cache_hits_total",
     "Tokens of prompts that were found in the cache"},
    {Metric::kGeneratedTokens, Kind::kCounter, "vllm:generation_tokens_total", "Tokens generated"},
    {Metric::kPreemptions, Kind::kCounter, "vllm:num_preemptions_total",
     "Times that a running request gave up its place"},
    {Metric::kRequestsDone, Kind::kCounter, "vllm:request_success_total",
     "Requests that have ended, by how", "finished_reason"},
    {Metric::kHttpRequests, Kind::kCounter, "hearth:http_requests_total",
     "Requests over HTTP, by the status of the answer", "status", false},
    {Metric::kStreamsDropped, Kind::kCounter, "hearth:http_streams_dropped_total",
     "Streams that ended because their reader was too slow", nullptr, false},
    {Metric::kFirstToken, Kind::kHistogram, "vllm:time_to_first_token_seconds",
     "From the request to its first token", nullptr, true, 0, kAll},
    {Metric::kBetweenTokens, Kind::kHistogram, "vllm:inter_token_latency_seconds",
     "From one token of a request to its next", nullptr, true, 0, 17},
    {Metric::kRequestTime, Kind::kHistogram, "vllm:e2e_request_latency_seconds",
     "From the request to its end", nullptr, true, 2, kAll},
    {Metric::kHttpTime, Kind::kHistogram, "hearth:http_request_duration_seconds",
     "From the head of a request to the end of its answer", nullptr, false, 0, kAll},
};

const Row& row_of(Metric metric, Kind kind) {
  const Row& row = kRows[static_cast<size_t>(metric)];
  CHECK(row.metric == metric && row.kind == kind);
  return row;
}

// The instruments of one kind that there are, by metric, model and label.
template <class T>
struct Family {
  std::map<std::string, std::pair<T*, prometheus::Family<T>*>, std::less<>> known;
};

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  std::mutex mutex;  // of the maps; instruments have their own ways
  Family<prometheus::Gauge> gauges;
  Family<prometheus::Counter> counters;
  Family<prometheus::Histogram> histograms;

  template <class T, class Build>
  T& find(Family<T>& family, Build build, const Row& row, std::string_view model,
          std::string_view label) {
    thread_local std::string key;
    key.assign(1, static_cast<char>(row.metric)).append(model).append(1, '\0').append(label);
    auto at = family.known.find(key);
    if (at != family.known.end()) return *at->second.first;
    prometheus::Labels labels;
    if (row.per_model) labels["model_name"] = model;
    if (row.label != nullptr) labels[row.label] = label;
    auto& made = build().Name(row.name).Help(row.text).Register(registry);
    T* instrument;
    if constexpr (std::is_same_v<T, prometheus::Histogram>) {
      instrument = &made.Add(labels, prometheus::Histogram::BucketBoundaries(
                                         kSeconds + row.first, kSeconds + row.last));
    } else {
      instrument = &made.Add(labels);
    }
    family.known.emplace(key, std::pair(instrument, &made));
    return *instrument;
  }

  static std::string_view model_of(std::string_view key) {
    key.remove_prefix(1);
    return key.substr(0, key.find('\0'));
  }

  template <class T>
  static void add_models(const Family<T>& family, std::set<std::string>& out) {
    for (const auto& [key, instrument] : family.known) out.emplace(model_of(key));
  }

  // An empty name stands for all models.
  template <class T>
  void forget(Family<T>& family, std::string_view model) {
    std::erase_if(family.known, [&](auto& entry) {
      std::string_view own = model_of(entry.first);
      if (own.empty() || (!model.empty() && own != model)) return false;
      entry.second.second->Remove(entry.second.first);
      return true;
    });
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::set(Metric gauge, std::string_view model, double value) {
  std::lock_guard lock(impl_->mutex);
  const Row& row = row_of(gauge, Kind::kGauge);
  impl_->find(impl_->gauges, prometheus::BuildGauge, row, model, {}).Set(value);
}

void Metrics::add(Metric counter, std::string_view model, double count, std::string_view label) {
  std::lock_guard lock(impl_->mutex);
  const Row& row = row_of(counter, Kind::kCounter);
  impl_->find(impl_->counters, prometheus::BuildCounter, row, model, label).Increment(count);
}

void Metrics::observe(Metric histogram, std::string_view model, double seconds) {
  std::lock_guard lock(impl_->mutex);
  const Row& row = row_of(histogram, Kind::kHistogram);
  impl_->find(impl_->histograms, prometheus::BuildHistogram, row, model, {}).Observe(seconds);
}

void Metrics::clear_gauges() {
  std::lock_guard lock(impl_->mutex);
  impl_->forget(impl_->gauges, {});
}

std::vector<std::string> Metrics::models() const {
  std::lock_guard lock(impl_->mutex);
  std::set<std::string> names;
  Impl::add_models(impl_->gauges, names);
  Impl::add_models(impl_->counters, names);
  Impl::add_models(impl_->histograms, names);
  names.erase("");  // of HTTP
  return {names.begin(), names.end()};
}

void Metrics::forget(std::string_view model) {
  if (model.empty()) return;
  std::lock_guard lock(impl_->mutex);
  impl_->forget(impl_->gauges, model);
  impl_->forget(impl_->counters, model);
  impl_->forget(impl_->histograms, model);
}

std::string Metrics::render() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace hearth::server
