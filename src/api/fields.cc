#include "api/fields.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "base/log.h"
#include "base/options.h"

namespace hearth::api {
namespace {

constexpr size_t kMembersMax = 1024;      // of one object
constexpr double kForeverSeconds = 9e9;   // what 64 bits of nanoseconds hold, about

// What was found in place of what the field takes: numbers as they are, the rest by its kind.
std::string shown(const Json& value) {
  return value.is_number() ? value.dump() : std::string(value.kind());
}

// The whole number that a JSON number is, if it is one that int64 holds.
std::optional<int64_t> whole(const Json& value) {
  if (value.is_int()) return value.as_int();
  if (!value.is_double()) return std::nullopt;
  double number = value.as_double();
  if (!(number >= -9.2e18 && number <= 9.2e18) || number != std::trunc(number))
    return std::nullopt;
  return static_cast<int64_t>(number);
}

struct DurationUnit {
  std::string_view name;
  double seconds;
};
constexpr DurationUnit kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"\u00b5s", 1e-6},
                                   {"\u03bcs", 1e-6}, {"ms", 1e-3}, {"s", 1},
                                   {"m", 60}, {"h", 3600}};

// "1h30m" without its sign; nothing when it is no such text. A number alone is in seconds.
std::optional<double> duration_seconds(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double sum = 0;
  for (bool first = true; !text.empty(); first = false) {
    size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    auto number = parse_number(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    size_t letters = std::min(text.find_first_of("0123456789."), text.size());
    std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    if (unit.empty() && first && text.empty()) return *number;
    const DurationUnit* found = nullptr;
    for (const DurationUnit& row : kUnits)
      if (row.name == unit) found = &row;
    if (found == nullptr) return std::nullopt;
    sum += *number * found->seconds;
  }
  return sum;
}

KeepAlive keep_for(double seconds) {
  if (seconds < 0 || !(seconds < kForeverSeconds)) return {.forever = true};
  return {.seconds = seconds};
}

}  // namespace

std::unexpected<ApiError> refuse_size(std::string_view name, size_t limit, std::string_view what) {
  return std::unexpected(ApiError{
      .error = fail(Code::kTooLarge, "{} takes at most {} {}", name, limit, what).error(),
      .param = std::string(name)});
}

ApiResult<void> of_field(Result<void> result, std::string_view name) {
  if (result) return {};
  return std::unexpected(ApiError{.error = std::move(result).error(), .param = std::string(name)});
}

ApiResult<bool> read_bool(const Json& value, std::string_view name) {
  if (value.is_bool()) return value.as_bool();
  return refuse(name, "{} takes true or false, not {}", name, shown(value));
}

ApiResult<int64_t> read_int(const Json& value, std::string_view name, int64_t min, int64_t max) {
  auto number = whole(value);
  if (number && *number >= min && *number <= max) return *number;
  return refuse(name, "{} takes a whole number from {} to {}, not {}", name, min, max,
                shown(value));
}

ApiResult<double> read_number(const Json& value, std::string_view name, double min, double max) {
  if (value.is_number() && value.as_double() >= min && value.as_double() <= max)
    return value.as_double();
  return refuse(name, "{} takes a number from {:.10g} to {:.10g}, not {}", name, min, max,
                shown(value));
}

ApiResult<std::string> read_string(const Json& value, std::string_view name, size_t bytes_max) {
  if (!value.is_string()) return refuse(name, "{} takes a string, not {}", name, shown(value));
  if (value.as_string().size() > bytes_max) return refuse_size(name, bytes_max, "bytes");
  return value.as_string();
}

ApiResult<std::vector<std::string>> read_strings(const Json& value, std::string_view name,
                                                 size_t count_max, size_t bytes_max) {
  std::vector<std::string> out;
  if (value.is_string()) {
    out.push_back(TRY(read_string(value, name, bytes_max)));
    return out;
  }
  if (!value.is_array())
    return refuse(name, "{} takes a string or a list of strings, not {}", name, shown(value));
  if (value.as_array().size() > count_max) return refuse_size(name, count_max, "values");
  for (const Json& item : value.as_array())
    out.push_back(TRY(read_string(item, fmt::format("{}[{}]", name, out.size()), bytes_max)));
  return out;
}

ApiResult<std::vector<TokenId>> read_ids(const Json& value, std::string_view name,
                                         size_t count_max) {
  if (!value.is_array())
    return refuse(name, "{} takes a list of token ids, not {}", name, shown(value));
  if (value.as_array().size() > count_max) return refuse_size(name, count_max, "token ids");
  constexpr int64_t kIdMax = std::numeric_limits<TokenId>::max();
  std::vector<TokenId> out;
  out.reserve(value.as_array().size());
  for (const Json& item : value.as_array()) {
    auto id = whole(item);
    if (!id || *id < 0 || *id > kIdMax)
      return refuse(fmt::format("{}[{}]", name, out.size()),
                    "{}[{}] takes a token id, not {}", name, out.size(), shown(item));
    out.push_back(static_cast<TokenId>(*id));
  }
  return out;
}

ApiResult<const Json*> read_object(const Json& value, std::string_view name) {
  if (!value.is_object()) return refuse(name, "{} takes an object, not {}", name, shown(value));
  if (value.as_object().size() > kMembersMax) return refuse_size(name, kMembersMax, "members");
  return &value;
}

ApiResult<KeepAlive> read_keep_alive(const Json& value, std::string_view name) {
  if (value.is_number()) return keep_for(value.as_double());
  if (value.is_string() && value.as_string().size() <= 64) {
    std::string_view text = value.as_string();
    bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (auto seconds = duration_seconds(text)) return keep_for(negative ? -*seconds : *seconds);
  }
  return refuse(name, "{} takes seconds or a duration such as \"10m\", not {}", name,
                value.is_string() ? value.as_string() : shown(value));
}

void log_ignored(std::string_view route, const std::vector<std::string_view>& names) {
  constexpr size_t kNamesMax = 16, kBytesMax = 64;
  if (names.empty() || !log_enabled(LogLevel::kInfo)) return;
  std::string list;
  for (size_t i = 0; i < std::min(names.size(), kNamesMax); ++i) {
    if (i > 0) list += ", ";
    append_json_string(list, names[i].substr(0, kBytesMax));  // quoted: clients choose them
  }
  if (names.size() > kNamesMax) list += ", ...";
  log(LogLevel::kInfo, "{}: ignored what is not known here: {}", route, list);
}

}  // namespace hearth::api
