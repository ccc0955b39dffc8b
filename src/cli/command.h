// Command: one row per command. cli/cmd_NAME.cc defines `const Command k_NAME_command`, and one
// line in commands.def puts it into the table; help, parsing and suggestions come from the row.
//
//   Result<int> run_list(const Args& args) { ... return 0; }
//   constexpr OptionRow kOptions[] = {kJsonOption};
//   const Command k_list_command = {.name = "list", .summary = "...", .options = kOptions,
//                                   .run = run_list};
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/options.h"
#include "base/result.h"
#include "cli/args.h"

namespace hearth {

struct Positional {
  enum class Count : uint8_t { kRequired, kOptional, kMany /* 1.. */, kAny /* 0.. */ };
  std::string_view name;  // "MODEL"
  Count count = Count::kRequired;
  std::string_view text;
};

struct Command {
  std::string_view name;
  std::string_view alias;    // "ls" for list; empty: none
  std::string_view summary;  // one line, no full stop
  std::string_view help;     // paragraphs and examples below the usage line; may be empty
  std::span<const Positional> positionals;  // at most the last one takes many
  std::span<const OptionRow> options;
  // Returns the exit code. An Error is printed by main as "Error: ..." and becomes 1, or 2 where
  // its code is kUsage. Output goes through cli/terminal.h.
  Result<int> (*run)(const Args& args) = nullptr;
  bool hidden = false;
};

// Declared here, so that the definitions are not private to their files.
#define COMMAND(name) extern const Command k_##name##_command;
#include "cli/commands.def"
#undef COMMAND

// All rows, in the order of commands.def.
std::span<const Command* const> commands();
const Command* find_command(std::string_view name);  // by name or alias; nullptr: none

// Whole help pages.
std::string help_text(const Command& command);
std::string general_help();

// Rows that several commands share.
inline constexpr OptionRow kJsonOption = {
    .name = "json", .type = OptionType::kFlag, .text = "print JSON"};
inline constexpr OptionRow kPrecisionOption = {
    .name = "precision",
    .type = OptionType::kChoice,
    .fallback = "high",
    .choices = "exact|high|fast",
    .env = "PRECISION",
    .text = "exact: float32 throughout, the reference; high: near it; fast: int8 activations"};
// No default: f32 under --precision exact and f16 otherwise.
inline constexpr OptionRow kKvOption = {
    .name = "kv",
    .type = OptionType::kString,
    .env = "KV",
    .ollama_env = "KV_CACHE_TYPE",
    .value_name = "f32|f16|bf16|int8",
    .text = "type of the cache (default: f32 under exact, else f16)"};
inline constexpr OptionRow kThreadsOption = {
    .name = "threads",
    .type = OptionType::kInt,
    .min = 1,
    .max = 1024,
    .env = "THREADS",
    .value_name = "N",
    .text = "threads that compute (default: the processors of this process)"};
inline constexpr OptionRow kContextOption = {
    .name = "ctx",
    .type = OptionType::kInt,
    .min = 4,
    .max = 1 << 24,
    .env = "CONTEXT",
    .ollama_env = "CONTEXT_LENGTH",
    .value_name = "N",
    .text = "tokens of context at most (default: the model's)"};
inline constexpr OptionRow kContinueOption = {
    .name = "continue",
    .type = OptionType::kString,
    .value_name = "TEXT",
    .text = "the answer begins with this text, and the model goes on from there"};

}  // namespace hearth
