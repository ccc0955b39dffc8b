// Options: an option is one row (name, type, range, default, environment variable, text); flags of
// the command line, environment variables, parameters of a Modelfile and help texts all come from
// the row. A bag of values knows its rows, checks every text that is set against them, and hands
// out typed values.
//
//   constexpr OptionRow kRows[] = {
//       {.name = "ctx", .type = OptionType::kInt, .fallback = "512", .min = 2, .max = 1 << 24,
//        .env = "CONTEXT", .ollama_env = "CONTEXT_LENGTH", .text = "tokens per window"}};
//   Options options(kRows);
//   TRY(options.set("ctx", "1024"));
//   options.integer("ctx");
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth {

enum class OptionType : uint8_t { kFlag, kInt, kFloat, kString, kChoice, kPath };

struct OptionRow {
  std::string_view name;  // "max-tokens": --max-tokens, or a Modelfile's own spelling
  OptionType type = OptionType::kString;
  char letter = 0;             // 'f' for -f
  bool many = false;           // may be given several times; list() has all values
  bool hidden = false;         // works, but is not in the help
  std::string_view fallback;   // the default as a user would type it; empty: none
  double min = -std::numeric_limits<double>::infinity();  // numbers: inclusive
  double max = std::numeric_limits<double>::infinity();
  std::string_view choices;     // kChoice: "exact|high|fast"
  std::string_view env;         // "KV": HEARTH_KV is used where the option is not given
  std::string_view ollama_env;  // "KV_CACHE_TYPE": OLLAMA_KV_CACHE_TYPE, where HEARTH_KV is unset
  std::string_view value_name;  // what the help calls the value; by default the type's word
  std::string_view text;        // one line of help
};

// The variable HEARTH_<name>; where it is unset or empty, OLLAMA_<ollama_name> (if that name is
// not empty). Spaces and quotes around the value are dropped, as Ollama does.
std::optional<std::string> environment(std::string_view name, std::string_view ollama_name = {});

// The same with the full name of the variable that answered, for messages.
struct EnvironmentValue {
  std::string variable, value;
};
std::optional<EnvironmentValue> environment_value(std::string_view name,
                                                  std::string_view ollama_name = {});

// "a number from 0 to 2", "one of exact, high, fast": what the row accepts, for errors and help.
std::string accepted(const OptionRow& row);

// Numbers as people type them, whole text or nothing; kInvalid otherwise.
Result<int64_t> parse_int(std::string_view text);
Result<double> parse_number(std::string_view text);  // finite only
Result<bool> parse_bool(std::string_view text);      // 1 t true yes on, 0 f false no off

class Options {
 public:
  Options() = default;
  // The rows must outlive the bag; their defaults must satisfy their own ranges (CHECK).
  explicit Options(std::span<const OptionRow> rows);

  std::span<const OptionRow> rows() const { return rows_; }
  const OptionRow* find_row(std::string_view name) const;  // nullptr when there is none

  // Checks `value` against the row and keeps it; again: replaces, or appends where the row says
  // many. kUsage for an unknown name, kInvalid with the accepted range for a bad value. The
  // errors begin with `label`, or with the name.
  Result<void> set(std::string_view name, std::string_view value, std::string_view label = {});

  // Fills what is not given from the environment.
  Result<void> read_environment();

  // True when somebody set it: the command line or the environment, not the default.
  bool given(std::string_view name) const;
  // True when there is a value at all, the default included.
  bool has(std::string_view name) const;

  // REQUIRES a row of that name and type, and a value (CHECK); flag() needs no value.
  bool flag(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;            // kFloat, kInt
  const std::string& text(std::string_view name) const;  // kString, kChoice, kPath
  // The value, or `fallback` where there is none.
  int64_t integer(std::string_view name, int64_t fallback) const;
  double number(std::string_view name, double fallback) const;
  std::string text(std::string_view name, std::string_view fallback) const;
  // All values of a row with many, in order; empty when there are none.
  const std::vector<std::string>& list(std::string_view name) const;

 private:
  struct Value {
    bool given = false;
    std::vector<std::string> texts;
    int64_t integer = 0;
    double number = 0;
  };
  size_t index_of(std::string_view name) const;  // CHECKs
  Result<void> store(size_t index, std::string_view value, std::string_view label);

  std::span<const OptionRow> rows_;
  std::vector<Value> values_;
};

// The nearest of `names` to a misspelt `name`, or empty when none is near (two edits or a third
// of its length).
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names);

}  // namespace hearth
