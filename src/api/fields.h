// Checked reading of the fields of a request. What is of the wrong type or out of range becomes a
// kInvalid ApiError that names the field; nothing is guessed and nothing converted, but for whole
// numbers that a client writes as 1.0. A `name` is the path of the field: "messages[2].content".
// Callers take null for absent before they call.
#pragma once

#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/native.h"
#include "base/json.h"
#include "base/out_of_memory.h"

namespace hearth::api {

// return refuse("top_p", "top_p takes ...");
template <class... Args>
std::unexpected<ApiError> refuse(std::string_view name, fmt::format_string<Args...> format,
                                 Args&&... args) {
  return std::unexpected(ApiError{
      .error = fail_formatted(Code::kInvalid, format, fmt::make_format_args(args...)).error(),
      .param = std::string(name)});
}
// The same for what is over a limit.
std::unexpected<ApiError> refuse_size(std::string_view name, size_t limit, std::string_view what);

// What a check of the house said, as an error of the field.
ApiResult<void> of_field(Result<void> result, std::string_view name);

ApiResult<bool> read_bool(const Json& value, std::string_view name);
ApiResult<int64_t> read_int(const Json& value, std::string_view name, int64_t min, int64_t max);
ApiResult<double> read_number(const Json& value, std::string_view name, double min, double max);
ApiResult<std::string> read_string(const Json& value, std::string_view name, size_t bytes_max);
// A string is a list of one.
ApiResult<std::vector<std::string>> read_strings(const Json& value, std::string_view name,
                                                 size_t count_max, size_t bytes_max);
ApiResult<std::vector<TokenId>> read_ids(const Json& value, std::string_view name,
                                         size_t count_max);
// `value` itself, if it is an object of a sane number of members: looking up a field costs a walk
// over them.
ApiResult<const Json*> read_object(const Json& value, std::string_view name);

// Seconds as a number, or a text such as "1h30m", "300ms" or "20" (seconds); negative: forever.
ApiResult<KeepAlive> read_keep_alive(const Json& value, std::string_view name);

// One line of the log for the fields of a request that nothing reads.
void log_ignored(std::string_view route, const std::vector<std::string_view>& names);

// What `work` returns, an ApiResult; kOutOfMemory where memory runs out within it.
template <class F>
std::invoke_result_t<F> with_memory(F&& work) {
  try {
    return std::forward<F>(work)();
  } catch (const std::bad_alloc&) {
    return std::unexpected(ApiError{.error = out_of_memory().error()});
  }
}

}  // namespace hearth::api
