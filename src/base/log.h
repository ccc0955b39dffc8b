// Logging to stderr, behind a few functions so that spdlog's headers stay in one file. The level
// is HEARTH_LOG (error, warn, info, debug), warn where unset: a command line that works is quiet.
#pragma once

#include <fmt/core.h>

namespace hearth {

enum class LogLevel { kError, kWarn, kInfo, kDebug };

void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void log_formatted(LogLevel level, fmt::string_view format, fmt::format_args args);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_formatted(level, format, fmt::make_format_args(args...));
}

}  // namespace hearth
