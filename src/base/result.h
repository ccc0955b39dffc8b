// Results and errors: how everything outside our control is reported.
//
// Three kinds of trouble, three tools. The world is wrong (input, files, network, limits): return
// a Result with a code from the table below and a message that says what happened and what to do.
// We are wrong: CHECK (base/check.h). Kernels cannot fail: shapes are matched before the launch.
// No exception of ours crosses a function; those of libraries are caught where they are called.
//
//   Result<Config> load(const std::string& path) {
//     std::string text = TRY(read_file(path, kMaxConfigBytes));
//     if (text.empty()) return fail(Code::kCorrupt, "{}: is empty", path);
//     ...
//   }
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

// What went wrong, as programs see it. Each row of kCodes (result.cc) gives its name, the HTTP
// status, the exit code of the command line and whether trying again can help.
enum class Code : uint8_t {
  kUsage,        // the command line or the call itself is wrong
  kInvalid,      // a value is out of range or of the wrong type
  kCorrupt,      // bytes that do not follow their format
  kUnsupported,  // well-formed, but a kind that this build cannot handle
  kNotFound,
  kExists,
  kTooLarge,    // over a limit: context, memory budget, body size
  kBusy,        // somebody holds the lock or the queue is full
  kDenied,      // not allowed
  kIo,          // the operating system refused
  kDiskFull,    // no space left
  kNetwork,     // the other side cannot be reached or broke off
  kCancelled,
  kOutOfMemory,
  kInternal,    // a library failed in a way that we did not expect
};

struct CodeInfo {
  Code code;
  std::string_view name;  // "not_found": stable, for programs
  int http_status;
  int exit_code;  // 2 for wrong usage, 1 for the rest
  bool retryable;
};

const CodeInfo& info(Code code);

struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;  // one line, no trailing full stop, no newline
};

template <class T>
using Result = std::expected<T, Error>;

std::unexpected<Error> fail_formatted(Code code, fmt::string_view format, fmt::format_args args);

// return fail(Code::kNotFound, "no model named '{}'", name);
// Whatever the arguments hold, the message is one line of UTF-8: control characters become spaces,
// other bytes U+FFFD, and what is beyond 900 bytes is cut.
template <class... Args>
std::unexpected<Error> fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return fail_formatted(code, format, fmt::make_format_args(args...));
}

// The same error with "context: " before its message.
Error with_context(Error error, std::string_view context);

}  // namespace hearth

// The value of a Result, or a return from the enclosing function with its error. A GNU statement
// expression (gcc, clang).
#define TRY(...)                                                                    \
  ({                                                                                \
    auto&& hearth_try_result = (__VA_ARGS__);                                       \
    if (!hearth_try_result.has_value()) [[unlikely]]                                \
      return std::unexpected(std::move(hearth_try_result).error());                 \
    *std::move(hearth_try_result);                                                  \
  })
