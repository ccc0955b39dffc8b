#include "api/ollama_fields.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/time.h"

namespace hearth::api::ollama {
namespace {

// A list of an option: far more than anybody needs, and little enough that Options, which copies
// what it has when it takes more, stays fast.
constexpr size_t kListMax = 512;
constexpr size_t kListBytesMax = 64 << 10;

}  // namespace

std::unexpected<ApiError> refuse_kind(std::string_view name, std::string_view wanted,
                                      const Json& value) {
  return refuse(name, "{} must be {}, not of the type {}", name, wanted, value.kind());
}

std::unexpected<ApiError> refuse_unbuilt(std::string_view name) {
  return refuse(name, "{} is not supported yet", name);
}

bool is_empty(const Json& value) {
  if (value.is_string()) return value.as_string().empty();
  if (value.is_array()) return value.as_array().empty();
  if (value.is_object()) return value.as_object().empty();
  return value.is_null();
}

ApiResult<int64_t> whole_number(std::string_view name, const Json& value, int64_t min,
                                int64_t max) {
  constexpr double kExact = 9e15;
  int64_t number = 0;
  bool whole = value.is_int();
  if (whole) {
    number = value.as_int();
  } else if (value.is_double() && value.as_double() > -kExact && value.as_double() < kExact) {
    number = static_cast<int64_t>(value.as_double());
    whole = static_cast<double>(number) == value.as_double();
  }
  if (!whole) return refuse(name, "{} must be an integer", name);
  if (number < min || number > max)
    return refuse(name, "{} must be between {} and {}", name, min, max);
  return number;
}

void log_unknown(std::string_view what, std::string_view name) {
  if (!log_enabled(LogLevel::kInfo)) return;
  // Through fail() for its cleaning: a name from outside must not write lines of the log.
  log(LogLevel::kInfo, "{}",
      fail(Code::kInvalid, "the {} '{}' is not known here", what, name.substr(0, 80))
          .error()
          .message);
}

ApiResult<void> check_lists(const Json& options) {
  if (!options.is_object()) return {};
  for (const auto& [name, value] : options.as_object()) {
    if (!value.is_array()) continue;
    size_t bytes = 0;
    for (const Json& item : value.as_array())
      if (item.is_string()) bytes += item.as_string().size();
    if (value.as_array().size() > kListMax || bytes > kListBytesMax)
      return refuse(name, "option \"{}\" takes at most {} items of {} KiB in all", name, kListMax,
                    kListBytesMax >> 10);
  }
  return {};
}

void TimeWriter::append(int64_t ns, std::string& out) {
  int64_t second = ns / 1'000'000'000 - (ns % 1'000'000'000 < 0);
  int64_t rest = ns - second * 1'000'000'000;
  if (second != second_ || text_.empty()) {
    second_ = second;
    text_ = iso_time(second);
    text_.back() = '.';  // in place of the Z
  }
  out += text_;
  char digits[7] = {0, 0, 0, 0, 0, 0, 'Z'};
  int64_t micros = rest / 1000;
  for (int i = 5; i >= 0; --i, micros /= 10) digits[i] = static_cast<char>('0' + micros % 10);
  out.append(digits, sizeof digits);
}

std::string offset_time(int64_t seconds, int64_t ns) {
  std::string out = iso_time(seconds);
  out.pop_back();
  if (ns >= 1000) out += fmt::format(".{:06}", ns / 1000);
  return out + "+00:00";
}

Json details_json(const OllamaDetails& details) {
  Json out;
  out.set("parent_model", "");
  out.set("format", details.format);
  out.set("family", details.family);
  Json families = Json::Array{};  // never null: clients go through it
  for (const std::string& family : details.families) families.push_back(family);
  if (details.families.empty() && !details.family.empty()) families.push_back(details.family);
  out.set("families", std::move(families));
  out.set("parameter_size", details.parameter_size);
  out.set("quantization_level", details.quantization);
  if (details.context_length > 0) out.set("context_length", details.context_length);
  if (details.embedding_length > 0) out.set("embedding_length", details.embedding_length);
  return out;
}

}  // namespace hearth::api::ollama
