// What the parts of Ollama's dialect share; nobody else includes it. A body is read by a table: one
// row per field, with the member that takes its value.
#pragma once

#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "api/ollama.h"
#include "base/out_of_memory.h"
#include "registry/model_name.h"

namespace hearth::api::ollama {

// return refuse("top_p", "top_p takes ...");
template <class... Args>
std::unexpected<ApiError> refuse(std::string_view param, fmt::format_string<Args...> format,
                                 Args&&... args) {
  return std::unexpected(
      ApiError{.error = fail_formatted(Code::kInvalid, format, fmt::make_format_args(args...))
                            .error(),
               .param = std::string(param)});
}

// The error of a Result as one of a field.
inline std::unexpected<ApiError> refuse(std::string_view param, Error error) {
  return std::unexpected(ApiError{.error = std::move(error), .param = std::string(param)});
}

std::unexpected<ApiError> refuse_kind(std::string_view name, std::string_view wanted,
                                      const Json& value);
std::unexpected<ApiError> refuse_unbuilt(std::string_view name);

// True for null, "", [] and {}: what Go's clients send for a field that was not set.
bool is_empty(const Json& value);

// kInvalid naming `name`, unless `value` is null or a whole number from min to max, which may be
// written as 5.0.
ApiResult<int64_t> whole_number(std::string_view name, const Json& value, int64_t min, int64_t max);

// Where the value of a field goes; Json pointers are for what needs a look of its own.
template <class F>
using FieldTarget = std::variant<std::string F::*, bool F::*, std::optional<bool> F::*,
                                 const Json * F::*>;

template <class F>
struct FieldRow {
  std::string_view name;
  FieldTarget<F> target;
};

void log_unknown(std::string_view what, std::string_view name);

inline ApiResult<void> put(std::string& to, std::string_view name, const Json& value) {
  if (!value.is_string()) return refuse_kind(name, "a string", value);
  to = value.as_string();
  return {};
}
inline ApiResult<void> put(bool& to, std::string_view name, const Json& value) {
  if (!value.is_bool()) return refuse_kind(name, "a boolean", value);
  to = value.as_bool();
  return {};
}
inline ApiResult<void> put(std::optional<bool>& to, std::string_view name, const Json& value) {
  return put(to.emplace(), name, value);
}
inline ApiResult<void> put(const Json*& to, std::string_view, const Json& value) {
  to = &value;
  return {};
}

// Fills `out` from the members of an object. `prefix` ("messages[2].") precedes names in errors.
template <class F>
ApiResult<void> read_fields(const Json& body, std::span<const FieldRow<F>> rows, F& out,
                            std::string_view prefix = {}) {
  if (!body.is_object()) return refuse_kind(prefix.empty() ? "the request" : prefix, "an object",
                                            body);
  for (const auto& [name, value] : body.as_object()) {
    const FieldRow<F>* row = nullptr;
    for (const FieldRow<F>& candidate : rows)
      if (same_name(candidate.name, name)) row = &candidate;
    if (row == nullptr) {
      log_unknown("field", name);
      continue;
    }
    if (value.is_null()) continue;
    std::string full = std::string(prefix) + std::string(row->name);
    TRY(std::visit([&](auto member) { return put(out.*member, full, value); }, row->target));
  }
  return {};
}

// What an option may hold, so that setting them one by one stays cheap: kInvalid naming the option.
ApiResult<void> check_lists(const Json& options);

// "2026-01-02T03:04:05.123456Z", the form that the most clients read: some know six digits at most.
// Appends; remembers the text of the second.
class TimeWriter {
 public:
  void append(int64_t ns, std::string& out);

 private:
  int64_t second_ = -1;
  std::string text_;
};
// "2026-01-02T03:04:05+00:00", with microseconds where there are some: Python's fromisoformat knew
// no "Z" before 3.11, and Ollama's own times of models have offsets.
std::string offset_time(int64_t seconds, int64_t ns = 0);

// As the object of lists and of show.
Json details_json(const OllamaDetails& details);

// What `work` returns, an ApiResult; kOutOfMemory where memory runs out within it.
template <class F>
std::invoke_result_t<F> catching_memory(F&& work) {
  try {
    return std::forward<F>(work)();
  } catch (const std::bad_alloc&) {
    return std::unexpected(ApiError{.error = out_of_memory().error()});
  }
}

}  // namespace hearth::api::ollama
