#include "server/metrics.h"

#include <gtest/gtest.h>

#include <string>

namespace hearth::server {
namespace {

bool has(const std::string& text, std::string_view line) {
  return ("\n" + text).find("\n" + std::string(line) + "\n") != std::string::npos;
}

TEST(Metrics, RendersWhatPrometheusReads) {
  Metrics metrics;
  EXPECT_EQ(metrics.render(), "");
  metrics.set(Metric::kRequestsRunning, "a", 3);
  metrics.set(Metric::kRequestsRunning, "a", 2);
  metrics.add(Metric::kRequestsDone, "a", 1, "stop");
  metrics.add(Metric::kRequestsDone, "a", 1, "length");
  metrics.add(Metric::kRequestsDone, "b\"\n", 4, "stop");
  metrics.add(Metric::kHttpRequests, "", 7, "200");
  metrics.observe(Metric::kFirstToken, "a", 0.03);
  metrics.observe(Metric::kFirstToken, "a", 1000);
  std::string text = metrics.render();
  EXPECT_TRUE(has(text, "# TYPE vllm:num_requests_running gauge")) << text;
  EXPECT_TRUE(has(text, R"(vllm:num_requests_running{model_name="a"} 2)")) << text;
  EXPECT_TRUE(has(text, "# TYPE vllm:request_success_total counter"));
  EXPECT_TRUE(has(text, R"(vllm:request_success_total{finished_reason="stop",model_name="a"} 1)"));
  EXPECT_TRUE(
      has(text, R"(vllm:request_success_total{finished_reason="stop",model_name="b\"\n"} 4)"))
      << text;
  EXPECT_TRUE(has(text, R"(hearth:http_requests_total{status="200"} 7)"));
  EXPECT_TRUE(has(text, R"(vllm:time_to_first_token_seconds_count{model_name="a"} 2)"));
  EXPECT_TRUE(has(text, R"(vllm:time_to_first_token_seconds_bucket{model_name="a",le="0.02"} 0)"))
      << text;
  EXPECT_TRUE(has(text, R"(vllm:time_to_first_token_seconds_bucket{model_name="a",le="0.04"} 1)"));
  EXPECT_TRUE(has(text, R"(vllm:time_to_first_token_seconds_bucket{model_name="a",le="+Inf"} 2)"));
}

TEST(Metrics, ForgetsAModel) {
  Metrics metrics;
  for (std::string_view model : {"a", "ab"}) {
    metrics.set(Metric::kCacheUsage, model, 0.5);
    metrics.add(Metric::kRequestsDone, model, 1, "stop");
    metrics.observe(Metric::kRequestTime, model, 1);
  }
  metrics.set(Metric::kRequestsRunning, "gauge", 1);
  metrics.observe(Metric::kRequestTime, "histogram", 1);
  metrics.add(Metric::kHttpRequests, "", 1, "200");
  EXPECT_EQ(metrics.models(), (std::vector<std::string>{"a", "ab", "gauge", "histogram"}));
  metrics.forget("a");
  EXPECT_EQ(metrics.models(), (std::vector<std::string>{"ab", "gauge", "histogram"}));
  EXPECT_EQ(metrics.render().find("\"a\""), std::string::npos) << metrics.render();
  EXPECT_NE(metrics.render().find("\"ab\""), std::string::npos);
  metrics.add(Metric::kRequestsDone, "a", 1, "stop");
  EXPECT_TRUE(has(metrics.render(),
                  R"(vllm:request_success_total{finished_reason="stop",model_name="a"} 1)"));
}

TEST(Metrics, ClearsTheGaugesOfModels) {
  Metrics metrics;
  metrics.set(Metric::kConnections, "", 2);
  metrics.set(Metric::kRequestsRunning, "a", 1);
  metrics.add(Metric::kRequestsDone, "a", 1, "stop");
  metrics.forget("");
  EXPECT_TRUE(has(metrics.render(), R"(vllm:num_requests_running{model_name="a"} 1)"));
  metrics.clear_gauges();
  std::string text = metrics.render();
  EXPECT_EQ(text.find("num_requests_running{"), std::string::npos) << text;
  EXPECT_TRUE(has(text, "hearth:http_connections 2"));
  EXPECT_TRUE(has(text, R"(vllm:request_success_total{finished_reason="stop",model_name="a"} 1)"));
  metrics.set(Metric::kRequestsRunning, "a", 3);
  EXPECT_TRUE(has(metrics.render(), R"(vllm:num_requests_running{model_name="a"} 3)"));
}

}  // namespace
}  // namespace hearth::server
