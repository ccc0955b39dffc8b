#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string_view>

namespace hearth {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kDebug: return spdlog::level::debug;
  }
  return spdlog::level::warn;
}

spdlog::logger& logger() {
  static auto instance = [] {
    auto made = spdlog::stderr_color_mt("hearth");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    const char* wanted = std::getenv("HEARTH_LOG");
    std::string_view name = wanted != nullptr ? wanted : "warn";
    made->set_level(name == "error"   ? spdlog::level::err
                    : name == "info"  ? spdlog::level::info
                    : name == "debug" ? spdlog::level::debug
                                      : spdlog::level::warn);
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(to_spdlog(level)); }

bool log_enabled(LogLevel level) { return logger().should_log(to_spdlog(level)); }

void log_formatted(LogLevel level, fmt::string_view format, fmt::format_args args) {
  logger().log(to_spdlog(level), "{}", fmt::vformat(format, args));
}

}  // namespace hearth
