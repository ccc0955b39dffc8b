#include "base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/check.h"

namespace hearth {
namespace {

std::string_view trim_quotes(std::string_view text) {
  constexpr std::string_view kDropped = " \t\r\n\"'";
  size_t begin = text.find_first_not_of(kDropped);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kDropped) - begin + 1);
}

std::vector<std::string_view> split_choices(std::string_view choices) {
  std::vector<std::string_view> out;
  while (!choices.empty()) {
    size_t bar = std::min(choices.find('|'), choices.size());
    out.push_back(choices.substr(0, bar));
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return out;
}

std::string range_text(const OptionRow& row, std::string_view kind) {
  bool low = std::isfinite(row.min), high = std::isfinite(row.max);
  if (low && high) return fmt::format("{} from {:.10g} to {:.10g}", kind, row.min, row.max);
  if (low) return fmt::format("{} of at least {:.10g}", kind, row.min);
  if (high) return fmt::format("{} of at most {:.10g}", kind, row.max);
  return std::string(kind);
}

}  // namespace

std::optional<EnvironmentValue> environment_value(std::string_view name,
                                                  std::string_view ollama_name) {
  for (auto [prefix, rest] : {std::pair{"HEARTH_", name}, std::pair{"OLLAMA_", ollama_name}}) {
    if (rest.empty()) continue;
    std::string variable = fmt::format("{}{}", prefix, rest);
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) continue;
    std::string_view trimmed = trim_quotes(value);
    if (!trimmed.empty()) return EnvironmentValue{variable, std::string(trimmed)};
  }
  return std::nullopt;
}

std::optional<std::string> environment(std::string_view name, std::string_view ollama_name) {
  auto found = environment_value(name, ollama_name);
  if (!found) return std::nullopt;
  return std::move(found->value);
}

std::string accepted(const OptionRow& row) {
  switch (row.type) {
    case OptionType::kFlag: return "true or false";
    case OptionType::kInt: return range_text(row, "a whole number");
    case OptionType::kFloat: return range_text(row, "a number");
    case OptionType::kString: return "a text";
    case OptionType::kPath: return "a path";
    case OptionType::kChoice:
      return fmt::format("one of {}", fmt::join(split_choices(row.choices), ", "));
  }
  CHECK(false);
}

namespace {

// from_chars knows '-' only; one '+' before a digit or a point is as good.
std::string_view without_plus(std::string_view text) {
  bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+';
  return plus ? text.substr(1) : text;
}

}  // namespace

Result<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  std::string_view digits = without_plus(text);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    return fail(Code::kInvalid, "'{}' is not a whole number", text);
  return value;
}

Result<double> parse_number(std::string_view text) {
  double value = 0;
  std::string_view digits = without_plus(text);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value))
    return fail(Code::kInvalid, "'{}' is not a number", text);
  return value;
}

Result<bool> parse_bool(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  for (std::string_view yes : {"1", "t", "true", "yes", "on"})
    if (lower == yes) return true;
  for (std::string_view no : {"0", "f", "false", "no", "off"})
    if (lower == no) return false;
  return fail(Code::kInvalid, "'{}' is neither true nor false", text);
}

Options::Options(std::span<const OptionRow> rows) : rows_(rows), values_(rows.size()) {
  for (size_t i = 0; i < rows_.size(); ++i)
    if (!rows_[i].fallback.empty()) CHECK(store(i, rows_[i].fallback, {}).has_value());
}

const OptionRow* Options::find_row(std::string_view name) const {
  auto row = std::ranges::find(rows_, name, &OptionRow::name);
  return row == rows_.end() ? nullptr : &*row;
}

size_t Options::index_of(std::string_view name) const {
  const OptionRow* row = find_row(name);
  CHECK(row != nullptr);
  return static_cast<size_t>(row - rows_.data());
}

Result<void> Options::store(size_t index, std::string_view value, std::string_view label) {
  const OptionRow& row = rows_[index];
  Value& slot = values_[index];
  std::string_view name = label.empty() ? row.name : label;
  auto refuse = [&] {
    return fail(Code::kInvalid, "{} takes {}, not '{}'", name, accepted(row), value);
  };
  auto in_range = [&](double number) { return number >= row.min && number <= row.max; };
  if (row.type == OptionType::kFlag) {
    auto parsed = parse_bool(value);
    if (!parsed) return refuse();
    slot.integer = *parsed;
  } else if (row.type == OptionType::kInt) {
    auto parsed = parse_int(value);
    if (!parsed || !in_range(static_cast<double>(*parsed))) return refuse();
    slot.integer = *parsed;
    slot.number = static_cast<double>(*parsed);
  } else if (row.type == OptionType::kFloat) {
    auto parsed = parse_number(value);
    if (!parsed || !in_range(*parsed)) return refuse();
    slot.number = *parsed;
  } else if (row.type == OptionType::kChoice) {
    auto choices = split_choices(row.choices);
    if (std::ranges::find(choices, value) == choices.end()) return refuse();
  } else if (value.find('\0') != std::string_view::npos) {
    return fail(Code::kInvalid, "{} holds a zero byte", name);
  }
  if (!row.many || !slot.given) slot.texts.clear();  // the first value replaces the default
  slot.texts.emplace_back(value);
  return {};
}

Result<void> Options::set(std::string_view name, std::string_view value, std::string_view label) {
  const OptionRow* row = find_row(name);
  if (row == nullptr) return fail(Code::kUsage, "there is no option '{}'", name);
  const size_t index = index_of(name);
  TRY(store(index, value, label));  // changes nothing where it fails
  values_[index].given = true;
  return {};
}

Result<void> Options::read_environment() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (values_[i].given || (rows_[i].env.empty() && rows_[i].ollama_env.empty())) continue;
    auto found = environment_value(rows_[i].env, rows_[i].ollama_env);
    if (found) TRY(set(rows_[i].name, found->value, found->variable));
  }
  return {};
}

bool Options::given(std::string_view name) const { return values_[index_of(name)].given; }

bool Options::has(std::string_view name) const { return !values_[index_of(name)].texts.empty(); }

bool Options::flag(std::string_view name) const {
  size_t index = index_of(name);
  CHECK(rows_[index].type == OptionType::kFlag);
  return values_[index].integer != 0;
}

int64_t Options::integer(std::string_view name) const {
  size_t index = index_of(name);
  CHECK(rows_[index].type == OptionType::kInt && !values_[index].texts.empty());
  return values_[index].integer;
}

double Options::number(std::string_view name) const {
  size_t index = index_of(name);
  CHECK(rows_[index].type == OptionType::kFloat || rows_[index].type == OptionType::kInt);
  CHECK(!values_[index].texts.empty());
  return values_[index].number;
}

const std::string& Options::text(std::string_view name) const {
  size_t index = index_of(name);
  OptionType type = rows_[index].type;
  CHECK(type == OptionType::kString || type == OptionType::kChoice || type == OptionType::kPath);
  CHECK(!values_[index].texts.empty());
  return values_[index].texts.back();
}

int64_t Options::integer(std::string_view name, int64_t fallback) const {
  return has(name) ? integer(name) : fallback;
}

double Options::number(std::string_view name, double fallback) const {
  return has(name) ? number(name) : fallback;
}

std::string Options::text(std::string_view name, std::string_view fallback) const {
  return has(name) ? text(name) : std::string(fallback);
}

const std::vector<std::string>& Options::list(std::string_view name) const {
  return values_[index_of(name)].texts;
}

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names) {
  if (name.size() > 64) return {};
  std::string_view best;
  size_t best_edits = std::max<size_t>(2, name.size() / 3) + 1;
  for (std::string_view candidate : names) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 0; i < name.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i + 1);
      for (size_t j = 0; j < candidate.size(); ++j) {
        size_t replace = diagonal + (name[i] != candidate[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replace, row[j] + 1, diagonal + 1});
      }
    }
    size_t edits = row.back();
    if (edits < best_edits && edits < candidate.size()) best_edits = edits, best = candidate;
  }
  return best;
}

}  // namespace hearth
