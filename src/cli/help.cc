// The help pages, written out from the rows of the commands.
#include <fmt/format.h>

#include <algorithm>

#include "cli/help.h"

namespace hearth {

std::string usage_of(const Positional& row) {
  switch (row.count) {
    case Positional::Count::kRequired: return std::string(row.name);
    case Positional::Count::kOptional: return fmt::format("[{}]", row.name);
    case Positional::Count::kMany: return fmt::format("{}...", row.name);
    case Positional::Count::kAny: return fmt::format("[{}...]", row.name);
  }
  return {};
}

std::string value_word(const OptionRow& row) {
  if (!row.value_name.empty()) return std::string(row.value_name);
  switch (row.type) {
    case OptionType::kFlag: return {};
    case OptionType::kInt: return "N";
    case OptionType::kFloat: return "NUMBER";
    case OptionType::kString: return "TEXT";
    case OptionType::kPath: return "FILE";
    case OptionType::kChoice: return std::string(row.choices);
  }
  return {};
}

std::string option_text(const OptionRow& row) {
  std::string out(row.text);
  if (!row.fallback.empty() && row.type != OptionType::kFlag)
    out += fmt::format(" (default: {})", row.fallback);
  if (row.many) out += "; may be repeated";
  if (!row.env.empty()) out += fmt::format(" [HEARTH_{}]", row.env);
  return out;
}

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

void append_block(std::string& out, std::string_view title, const Lines& lines) {
  if (lines.empty()) return;
  size_t width = 0;
  for (const auto& [left, right] : lines)
    if (left.size() <= 30) width = std::max(width, left.size());
  out += fmt::format("\n{}:\n", title);
  for (const auto& [left, right] : lines)
    out += left.size() <= width ? fmt::format("  {:<{}}  {}\n", left, width, right)
                                : fmt::format("  {}\n  {:<{}}  {}\n", left, "", width, right);
}

}  // namespace

std::string help_text(const Command& command) {
  std::string out = fmt::format("{}\n\nUsage: hearth {}", command.summary, command.name);
  Lines positionals, options;
  for (const Positional& row : command.positionals) {
    out += ' ' + usage_of(row);
    positionals.emplace_back(row.name, row.text);
  }
  out += " [options]\n";
  if (!command.alias.empty()) out += fmt::format("Also: hearth {}\n", command.alias);
  if (!command.help.empty()) out += fmt::format("\n{}\n", command.help);
  for (const OptionRow& row : command.options) {
    if (row.hidden) continue;
    std::string left = row.letter ? fmt::format("-{}, --{}", row.letter, row.name)
                                  : fmt::format("    --{}", row.name);
    if (std::string word = value_word(row); !word.empty()) left += ' ' + word;
    options.emplace_back(std::move(left), option_text(row));
  }
  options.emplace_back("-h, --help", "this page");
  append_block(out, "Arguments", positionals);
  append_block(out, "Options", options);
  return out;
}

std::string general_help() {
  std::string out =
      "Hearth runs open language models on your own machine.\n\n"
      "Usage: hearth COMMAND [arguments]\n";
  Lines lines;
  for (const Command* command : commands())
    if (!command->hidden) lines.emplace_back(command->name, command->summary);
  append_block(out, "Commands", lines);
  append_block(out, "Options", {{"--help", "this page; hearth COMMAND --help explains a command"},
                                {"--version", "which Hearth this is"}});
  out +=
      "\nMODEL is a name in the store (qwen2.5-coder:1.5b), a .gguf file or a model folder.\n"
      "Everything that is written lives under HEARTH_HOME (default ~/.hearth).\n";
  return out;
}

}  // namespace hearth
